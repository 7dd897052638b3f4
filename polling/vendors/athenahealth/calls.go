package athenahealth

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/fhirfacade/fhirfacade/polling"
)

// stampLayout is mm/dd/yyyy hh24:mi:ss.
const stampLayout = "01/02/2006 15:04:05"

// changedQuery asks the feed of changed appointments.
type changedQuery struct {
	leave         bool
	from, to      time.Time // show what was processed between, when set
	limit, offset int
}

// changedPage is a page of the feed, with each row as it came.
type changedPage struct {
	rows []json.RawMessage
	next int // offset of the next page; 0 when this is the last
}

// changed reads a page of the feed.
func (c *Client) changed(ctx context.Context, q changedQuery, eastern *time.Location) (changedPage, error) {
	k := call{method: http.MethodGet, path: "appointments/changed", query: map[string]string{"limit": strconv.Itoa(q.limit)}}
	k.once = !q.leave
	if q.leave {
		k.query["leaveunprocessed"] = "true"
	}
	if !q.from.IsZero() {
		k.query["showprocessedstartdatetime"] = q.from.In(eastern).Format(stampLayout)
		k.query["showprocessedenddatetime"] = q.to.In(eastern).Format(stampLayout)
	}
	if q.offset > 0 {
		k.query["offset"] = strconv.Itoa(q.offset)
	}
	var answer struct {
		TotalCount   *number            `json:"totalcount"`
		Appointments *[]json.RawMessage `json:"appointments"`
		Next         string             `json:"next"`
	}
	if err := c.do(ctx, k, &answer); err != nil {
		return changedPage{}, err
	}
	malformed := func(reason string) (changedPage, error) {
		return changedPage{}, &polling.CallError{Kind: polling.ErrMalformed, Call: k.name(), Status: http.StatusOK, Reason: reason}
	}
	if answer.Appointments == nil {
		return malformed("no list in the answer")
	}
	page := changedPage{rows: *answer.Appointments}
	if answer.Next != "" {
		next, err := url.Parse(answer.Next)
		if err != nil {
			return malformed("the next link is no link")
		}
		page.next, err = strconv.Atoi(next.Query().Get("offset"))
		if err != nil || page.next <= q.offset {
			return malformed("the next link does not go on")
		}
	} else if answer.TotalCount != nil && int(*answer.TotalCount) > q.offset+len(page.rows) {
		return malformed("the list ends before its count")
	}
	return page, nil
}

// get reads a single record, which the vendor sends as an array of one.
func get[T any](ctx context.Context, c *Client, path, name string, value id, query map[string]string) (*T, error) {
	k := call{method: http.MethodGet, path: path + "/{" + name + "}", param: map[string]string{name: string(value)}, query: query}
	var answer []*T
	if err := c.do(ctx, k, &answer); err != nil {
		return nil, err
	}
	if len(answer) != 1 || answer[0] == nil {
		return nil, &polling.CallError{Kind: polling.ErrMalformed, Call: k.name(), Status: http.StatusOK, Reason: "not an array of one"}
	}
	return answer[0], nil
}

func (c *Client) patient(ctx context.Context, value id) (*patient, error) {
	return get[patient](ctx, c, "patients", "patientid", value, map[string]string{"showlocalpatientid": "true"})
}

func (c *Client) provider(ctx context.Context, value id) (*provider, error) {
	return get[provider](ctx, c, "providers", "providerid", value, nil)
}

func (c *Client) department(ctx context.Context, value id) (*department, error) {
	return get[department](ctx, c, "departments", "departmentid", value, nil)
}

// subscription returns the events of the feed that are subscribed to.
func (c *Client) subscription(ctx context.Context) (map[string]bool, error) {
	k := call{method: http.MethodGet, path: "appointments/changed/subscription"}
	var answer struct {
		Status        string `json:"status"`
		Subscriptions []struct {
			EventName string `json:"eventname"`
		} `json:"subscriptions"`
	}
	if err := c.do(ctx, k, &answer); err != nil {
		return nil, err
	}
	if answer.Status == "" {
		return nil, &polling.CallError{Kind: polling.ErrMalformed, Call: k.name(), Status: http.StatusOK, Reason: "no status in the answer"}
	}
	on := map[string]bool{}
	for _, s := range answer.Subscriptions {
		on[s.EventName] = true
	}
	return on, nil
}

func (c *Client) subscribe(ctx context.Context, event string) error {
	return c.do(ctx, call{method: http.MethodPost, path: "appointments/changed/subscription", form: map[string]string{"eventname": event}}, nil)
}
