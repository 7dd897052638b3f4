package exchange

import (
	"context"
	"errors"
	"mime"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/fhirfacade/fhirfacade/internal/exchange/mllp"
	"github.com/fhirfacade/fhirfacade/mapping/hl7v2"
)

// typeHL7v2 is the media type of HL7 v2 messages.
const typeHL7v2 = "application/hl7-v2"

// hl7v2 takes one HL7 v2 message, for a source as /endpoint does, with the
// settings of the source's connection. The answer is an acknowledgement: with
// 200 the message is committed, with 400 it is at fault, with 503 it is to be
// sent again.
func (a *RedoxAPI) hl7v2(c *gin.Context) {
	if typ, _, err := mime.ParseMediaType(c.ContentType()); err != nil || typ != typeHL7v2 {
		c.Header("Accept-Post", typeHL7v2)
		c.String(http.StatusUnsupportedMediaType, "The message must be sent as %s.", typeHL7v2)
		return
	}
	raw, t, src, ok := a.receive(c)
	if !ok {
		return
	}
	ctx := c.Request.Context()
	settings, err := a.x.hl7v2Of(ctx, t, src.ID)
	if err != nil {
		c.Header("Retry-After", "1")
		c.String(http.StatusServiceUnavailable, "The message cannot be stored now. Send it again later.")
		return
	}
	id := (&listeners{x: a.x}).controlID
	server := mllp.NewServer(mllp.ServerOptions{
		Now: a.x.o.Now, NewID: id, Logger: a.x.o.Logger, Read: hl7v2.Options{Charset: settings.Charset},
		Handler: func(ctx context.Context, m mllp.Received) error {
			_, err := a.x.IngestHL7v2(ctx, t, src, settings, m.Raw, m.Message)
			return err
		},
	})
	answer, err := server.Answer(ctx, raw)
	status := http.StatusOK
	switch {
	case err == nil:
	case errors.Is(err, mllp.ErrNotStored):
		status = http.StatusServiceUnavailable
		c.Header("Retry-After", "1")
	default:
		status = http.StatusBadRequest
	}
	c.Data(status, typeHL7v2, answer)
}
