package operate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"

	"github.com/fhirfacade/fhirfacade/store/pebble"
)

// Backup says what is copied where.
type Backup struct {
	Place
	// To is the folder: on the server's machine when Server is named.
	To string
}

// Run copies the embedded store: by the server that has it open, or by itself
// when none does.
func (b Backup) Run(ctx context.Context, out io.Writer) error {
	client := Client{URL: ServerURL(b.Server, b.Config.Listen), Token: b.Token}
	if b.Server == "" {
		engine, err := b.open()
		if err == nil {
			fmt.Fprintf(out, "Copying %s to %s\n", b.Config.Data, b.To)
			return b.done(out, errors.Join(engine.Backup(ctx, b.To), engine.Close()))
		}
		if !errors.Is(err, pebble.ErrLocked) {
			return err
		}
		if !client.Alive(ctx) {
			return unanswered(b.Config.Data, client.URL)
		}
		if b.To, err = filepath.Abs(b.To); err != nil {
			return err
		}
	}
	fmt.Fprintf(out, "Copying the store of the server at %s to %s\n", client.URL, b.To)
	return b.done(out, client.Do(ctx, http.MethodPost, "/maintenance/backup", map[string]string{"folder": b.To}, nil))
}

func (b Backup) open() (*pebble.Engine, error) {
	if !pebble.Exists(b.Config.Data) {
		return nil, fmt.Errorf("there is no store in %s", b.Config.Data)
	}
	return pebble.Open(b.Config.Data, pebble.Options{})
}

func (b Backup) done(out io.Writer, err error) error {
	if err == nil {
		fmt.Fprintln(out, "Done. Check it with: fhirfacade check --data", b.To)
	}
	return err
}
