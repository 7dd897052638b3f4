package operate

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/fhirfacade/fhirfacade/internal/maintenance"
)

// Drop says which organization, or which environment of it, is removed.
type Drop struct {
	Client
	Organization, Environment string
	// DryRun counts only, Yes does not ask.
	DryRun, Yes bool
}

// ErrNotConfirmed: the name was not typed again.
var ErrNotConfirmed = errors.New("nothing was removed: the name was not repeated")

// Run says what would go, asks for the name, and removes it.
func (d Drop) Run(ctx context.Context, in io.Reader, out io.Writer) error {
	path, name := "/organizations/"+url.PathEscape(d.Organization), d.Organization
	if d.Environment != "" {
		path, name = path+"/environments/"+url.PathEscape(d.Environment), name+"/"+d.Environment
	}
	var contents struct{ Items []maintenance.Contents }
	if err := d.Do(ctx, http.MethodDelete, path+"?dry-run=true", nil, &contents); err != nil {
		return err
	}
	for _, c := range contents.Items {
		describe(out, c)
	}
	if d.DryRun {
		fmt.Fprintln(out, "Nothing was removed: this was a dry run.")
		return nil
	}
	if !d.Yes {
		fmt.Fprintf(out, "All of this will be gone for good. Type %s to remove it: ", name)
		typed, err := bufio.NewReader(in).ReadString('\n')
		if strings.TrimSpace(typed) != name {
			fmt.Fprintln(out)
			if err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			return ErrNotConfirmed
		}
	}
	j := &maintenance.Job{}
	if err := d.Do(ctx, http.MethodDelete, path+"?confirm="+url.QueryEscape(name), nil, j); err != nil {
		return err
	}
	fmt.Fprintln(out, "Removing. It goes on in the server if this command is stopped.")
	if err := d.follow(ctx, "/maintenance/jobs/"+j.ID, j, func(maintenance.Job) {}); err != nil {
		return err
	}
	if j.State != maintenance.Finished {
		return fmt.Errorf("%s: %s: %s", name, j.State, j.Error)
	}
	fmt.Fprintln(out, "Removed", name)
	return nil
}

func describe(out io.Writer, c maintenance.Contents) {
	var resources int64
	types := make([]string, 0, len(c.Resources))
	for typ, n := range c.Resources {
		resources += n
		types = append(types, fmt.Sprintf("%d %s", n, typ))
	}
	slices.Sort(types)
	fmt.Fprintf(out, "%s/%s: %d resources, %d log entries, %d sources, %d connections, %d destinations, %d subscriptions\n",
		c.Organization, c.Environment, resources, c.LogEntries,
		c.Machinery["sources"], c.Machinery["connections"], c.Machinery["destinations"], c.Machinery["subscriptions"])
	if len(types) > 0 {
		fmt.Fprintln(out, "  "+strings.Join(types, ", "))
	}
}
