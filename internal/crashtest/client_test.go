package crashtest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	base  = "/fhir/R4/sandbox/Development"
	admin = "/exchange/sandbox/Development"
)

// client talks to one instance.
type client struct {
	url  string
	http *http.Client
}

func newClient(url string) *client {
	// Its own connections: those of a killed process must not be tried again.
	return &client{url: url, http: &http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: 64},
		Timeout:   90 * time.Second,
	}}
}

func (c *client) close() { c.http.CloseIdleConnections() }

// answer is a whole response. A response that breaks off is an error: only
// what arrives whole is an acknowledgement.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (c *client) send(ctx context.Context, method, path string, body []byte, headers ...string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if body == nil {
		req.Body, req.GetBody = http.NoBody, nil
	}
	req.Header.Set("Content-Type", "application/fhir+json")
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	// A request that was cut off must not be sent again by the transport: the
	// test would not know that it happened twice.
	req.GetBody = nil
	res, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, b}, err
}

// version is that of the ETag; 0 without one.
func (a answer) version() int64 { return versionOf(a.header.Get("ETag")) }

func versionOf(etag string) int64 {
	v, _ := strconv.ParseInt(strings.Trim(strings.TrimPrefix(etag, "W/"), `"`), 10, 64)
	return v
}

// bundle is what the test reads of a Bundle.
type bundle struct {
	Type  string
	Total *int
	Link  []struct{ Relation, URL string }
	Entry []struct {
		FullURL  string
		Resource json.RawMessage
		Request  struct{ Method, URL string }
		Response struct{ Status, Etag, Location, LastModified string }
		Search   struct{ Mode string }
	}
}

func (b bundle) next() string {
	for _, l := range b.Link {
		if l.Relation == "next" {
			return l.URL
		}
	}
	return ""
}

// refOf takes "Type/id" out of a URL that ends with it, or with a version
// behind it.
func refOf(url string) string {
	url, _, _ = strings.Cut(url, "/_history")
	parts := strings.Split(url, "/")
	if len(parts) < 2 {
		return ""
	}
	return parts[len(parts)-2] + "/" + parts[len(parts)-1]
}
