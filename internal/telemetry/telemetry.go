// Package telemetry is what the server shows of itself: logs and metrics.
// Neither holds a body, a name or an identifier of a patient; URLs are shown
// as route patterns, since paths and queries hold ids and search values.
package telemetry

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/fhirfacade/fhirfacade/notifications"
	"github.com/fhirfacade/fhirfacade/store"
)

// NewLogger makes a logger that writes text or JSON.
func NewLogger(w io.Writer, format string) (*slog.Logger, error) {
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(w, nil)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, nil)), nil
	}
	return nil, fmt.Errorf("log format %q: must be text or json", format)
}

// Metrics counts what happens, for Prometheus.
type Metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
	messages *prometheus.CounterVec
	attempts *prometheus.CounterVec
}

// NewMetrics makes metrics with a registry of their own.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "fhirfacade_http_request_seconds", Help: "Duration of HTTP requests by route.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"method", "route", "status"}),
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fhirfacade_messages_total", Help: "Messages by data model, event type and how they ended.",
		}, []string{"direction", "data_model", "event_type", "status"}),
		attempts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "fhirfacade_delivery_attempts_total", Help: "Attempts to deliver to subscribers, by tenant and how they ended.",
		}, []string{"tenant", "result"}),
	}
	m.registry.MustRegister(m.requests, m.messages, m.attempts, collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Handler serves the metrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Message counts one message.
func (m *Metrics) Message(direction, dataModel, eventType, status string) {
	m.messages.WithLabelValues(direction, dataModel, eventType, status).Inc()
}

// Attempt counts one attempt of a delivery; it is the notifications.Meter.
func (m *Metrics) Attempt(t store.Tenant, _ notifications.Transmission, a notifications.Attempt) {
	result := "acknowledged"
	if a.Error != "" {
		result = "failed"
	}
	m.attempts.WithLabelValues(string(t), result).Inc()
}

// Backlog registers gauges of what waits, read when the metrics are.
func (m *Metrics) Backlog(read func(ctx context.Context) ([]notifications.Backlog, error), now func() time.Time) {
	m.registry.MustRegister(backlog{read, now})
}

var (
	waitingEvents = prometheus.NewDesc("fhirfacade_backlog_events", "Events that a subscription has not delivered yet.", []string{"tenant", "subscription"}, nil)
	waitingAge    = prometheus.NewDesc("fhirfacade_backlog_oldest_seconds", "Age of the oldest event that a subscription has not delivered yet.", []string{"tenant", "subscription"}, nil)
)

type backlog struct {
	read func(ctx context.Context) ([]notifications.Backlog, error)
	now  func() time.Time
}

// Log is what of a tenant's change log is kept.
type Log struct {
	Tenant      store.Tenant
	Floor, Head int64
	// HeldBy keeps entries beyond their time, the oldest for HeldSeconds.
	HeldBy      string
	HeldSeconds float64
}

// Logs registers gauges of the change logs, as they were when they were last
// trimmed.
func (m *Metrics) Logs(read func() []Log) { m.registry.MustRegister(logs(read)) }

var (
	logEntries = prometheus.NewDesc("fhirfacade_log_entries", "Entries that a tenant's change log holds, as of when it was last trimmed.", []string{"tenant"}, nil)
	logHeld    = prometheus.NewDesc("fhirfacade_log_held_seconds", "How long a reader has kept a log's oldest entry beyond the retention.", []string{"tenant", "reader"}, nil)
)

type logs func() []Log

func (logs) Describe(ch chan<- *prometheus.Desc) { ch <- logEntries; ch <- logHeld }

func (l logs) Collect(ch chan<- prometheus.Metric) {
	for _, s := range l() {
		ch <- prometheus.MustNewConstMetric(logEntries, prometheus.GaugeValue, float64(s.Head-s.Floor+1), string(s.Tenant))
		if s.HeldBy != "" {
			ch <- prometheus.MustNewConstMetric(logHeld, prometheus.GaugeValue, s.HeldSeconds, string(s.Tenant), s.HeldBy)
		}
	}
}

// readTime bounds how long the metrics may take.
const readTime = 5 * time.Second

func (backlog) Describe(ch chan<- *prometheus.Desc) { ch <- waitingEvents; ch <- waitingAge }

func (b backlog) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), readTime)
	defer cancel()
	all, err := b.read(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(waitingEvents, err)
		return
	}
	for _, w := range all {
		age := 0.0
		if !w.Oldest.IsZero() {
			age = b.now().Sub(w.Oldest).Seconds()
		}
		ch <- prometheus.MustNewConstMetric(waitingEvents, prometheus.GaugeValue, float64(w.Events), string(w.Tenant), w.Subscription)
		ch <- prometheus.MustNewConstMetric(waitingAge, prometheus.GaugeValue, age, string(w.Tenant), w.Subscription)
	}
}

// Requests counts and logs HTTP requests.
func (m *Metrics) Requests(logger *slog.Logger) gin.HandlerFunc {
	return func(c *gin.Context) {
		start := time.Now()
		c.Next()
		route := c.FullPath()
		if route == "" {
			route = "none"
		}
		status := c.Writer.Status()
		took := time.Since(start)
		m.requests.WithLabelValues(c.Request.Method, route, strconv.Itoa(status)).Observe(took.Seconds())
		level := slog.LevelDebug
		if status >= http.StatusInternalServerError {
			level = slog.LevelWarn
		}
		logger.Log(c.Request.Context(), level, "request", "method", c.Request.Method, "route", route,
			"status", status, "took", took, "bytes", c.Writer.Size(), "requestId", c.Writer.Header().Get("X-Request-Id"))
	}
}
