package exchange

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/fhirfacade/fhirfacade/conformance/rawjson"
	"github.com/fhirfacade/fhirfacade/internal/tenant"
	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/documents"
)

// Files that were uploaded (Redox: file upload). A file is an item that says
// whose it is, and a row of items with its bytes; the former is written last,
// so that there is no half of a file. It is kept as long as messages are,
// which name it.
const (
	kindFile     = "file"
	kindFilePart = "file-part"
)

// file is one that was uploaded.
type file struct {
	Source string `json:"source"`
	Bytes  int    `json:"bytes"`
	Parts  int    `json:"parts"`
}

const (
	// maxFile is the largest file, maxMessageFiles what the files of one
	// message have together.
	maxFile         = 30 << 20
	maxMessageFiles = 40 << 20
	filePart        = 1 << 20
)

// filePath begins the path of a file's URI.
const filePath = "/blob/"

func filePartID(id string, n int) string { return fmt.Sprintf("%s.%05d", id, n) }

// upload takes a file and answers with the URI by which messages of the same
// source can name it.
func (a *RedoxAPI) upload(c *gin.Context) {
	t, src, ok := a.source(c, nil)
	if !ok {
		return
	}
	if _, env := tenant.Split(t); env == tenant.Environments[0] {
		answer(c, http.StatusForbidden, answerMeta{Errors: failure(http.StatusForbidden, moduleServer,
			"Files cannot be uploaded in "+env+". Embed the content in the message, or use a source of another environment.").Errors})
		return
	}
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, maxFile+1<<20)
	id, err := a.x.takeFile(c.Request, t, src)
	if err != nil {
		f := failureOf(err)
		answer(c, f.Status, answerMeta{Errors: f.Errors})
		return
	}
	c.JSON(http.StatusCreated, gin.H{"URI": a.fileBase(c) + filePath + id})
}

func (a *RedoxAPI) fileBase(c *gin.Context) string {
	if a.x.o.PublicURL != "" {
		return strings.TrimSuffix(a.x.o.PublicURL, "/")
	}
	scheme := "http"
	if c.Request.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + c.Request.Host
}

// takeFile stores the part "file" of a multipart body.
func (x *Exchange) takeFile(r *http.Request, t store.Tenant, src Source) (string, error) {
	form, err := r.MultipartReader()
	if err != nil {
		return "", failure(http.StatusBadRequest, moduleServer, "The body must be multipart/form-data with a field file.")
	}
	part, err := form.NextPart()
	if err != nil {
		return "", uploadError(err)
	}
	if part.FormName() != "file" {
		return "", failure(http.StatusBadRequest, moduleServer, "The body must have the field file alone.")
	}
	return x.storeFile(r.Context(), t, src, part)
}

// uploadError words why a body could not be read.
func uploadError(err error) error {
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return failure(http.StatusRequestEntityTooLarge, moduleServer, "The file is larger than 30 MB.")
	case errors.Is(err, io.EOF):
		return failure(http.StatusBadRequest, moduleServer, "The body must have a field file.")
	}
	return failure(http.StatusBadRequest, moduleServer, "The body ended early, or is not multipart/form-data.")
}

func (x *Exchange) storeFile(ctx context.Context, t store.Tenant, src Source, from io.Reader) (string, error) {
	id, expires := x.o.NewID(), x.o.Now().Add(messagesKept)
	f := file{Source: src.ID}
	buffer := make([]byte, filePart)
	for {
		n, err := io.ReadFull(from, buffer)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return "", errors.Join(uploadError(err), x.dropFile(ctx, t, id, f.Parts))
		}
		if n > 0 {
			if f.Bytes += n; f.Bytes > maxFile {
				return "", errors.Join(failure(http.StatusRequestEntityTooLarge, moduleServer, "The file is larger than 30 MB."),
					x.dropFile(ctx, t, id, f.Parts))
			}
			item := store.Item{Kind: kindFilePart, ID: filePartID(id, f.Parts), Body: bytes.Clone(buffer[:n]), Expires: expires}
			if _, err := x.o.Store.PutItem(ctx, t, item, store.ItemAny); err != nil {
				return "", err
			}
			f.Parts++
		}
		if err != nil {
			break
		}
	}
	if f.Bytes == 0 {
		return "", failure(http.StatusBadRequest, moduleServer, "The file is empty.")
	}
	return id, documents.Put(ctx, x.o.Store, t, store.Item{Kind: kindFile, ID: id, Expires: expires}, f, 0)
}

// dropFile removes the parts of a file that was not taken.
func (x *Exchange) dropFile(ctx context.Context, t store.Tenant, id string, parts int) error {
	for n := range parts {
		if err := x.o.Store.DeleteItem(context.WithoutCancel(ctx), t, kindFilePart, filePartID(id, n), store.ItemAny); err != nil {
			return err
		}
	}
	return nil
}

// errForeignFile does not tell a file of another source from none.
func errForeignFile(path string) error {
	return failure(http.StatusBadRequest, moduleDataModels, path+" names a file that this source has not uploaded, or one that has expired.")
}

// withFiles is a message with the content of the files that it names, as
// base64, in the place of their URIs. A URI is one of ours by its path, since
// servers have several names; whose file it is decides the rest.
func (x *Exchange) withFiles(ctx context.Context, t store.Tenant, source string, text []byte) ([]byte, error) {
	if !bytes.Contains(text, []byte(filePath)) {
		return text, nil // as nearly always
	}
	doc, err := rawjson.Parse(text, nil)
	if err != nil {
		return text, nil //nolint:nilerr // whoever reads the message words what is wrong with it
	}
	var named []rawjson.Node
	var walk func(n rawjson.Node)
	walk = func(n rawjson.Node) {
		if n.Kind() == rawjson.KindString && fileID(n.String()) != "" {
			named = append(named, n)
		}
		for m := range n.Members() {
			walk(m)
		}
		for e := range n.Elements() {
			walk(e)
		}
	}
	walk(doc.Root())
	if len(named) == 0 {
		return text, nil
	}
	var out []byte
	at, total := 0, 0
	for _, n := range named {
		id := fileID(n.String())
		f, err := documents.Get[file](ctx, x.o.Store, t, kindFile, id)
		if errors.Is(err, store.ErrNotFound) || err == nil && f.Source != source {
			return nil, errForeignFile(n.Path())
		}
		if err != nil {
			return nil, err
		}
		if total += f.Bytes; total > maxMessageFiles {
			return nil, failure(http.StatusRequestEntityTooLarge, moduleDataModels, "The files of the message are larger than 40 MB together.")
		}
		out = append(append(out, text[at:n.Offset()]...), '"')
		if out, err = x.appendFile(ctx, t, out, id, f); err != nil {
			return nil, err
		}
		out = append(out, '"')
		at = n.End()
	}
	return append(out, text[at:]...), nil
}

// appendFile appends a file as base64.
func (x *Exchange) appendFile(ctx context.Context, t store.Tenant, out []byte, id string, f file) ([]byte, error) {
	content := make([]byte, 0, f.Bytes)
	for n := range f.Parts {
		it, err := x.o.Store.GetItem(ctx, t, kindFilePart, filePartID(id, n))
		if err != nil {
			return nil, err
		}
		content = append(content, it.Body...)
	}
	return base64.StdEncoding.AppendEncode(out, content), nil
}

// fileID is the id in the URI of a file; "" for any other text.
func fileID(s string) string {
	if !strings.HasPrefix(s, "http://") && !strings.HasPrefix(s, "https://") || len(s) > 512 {
		return ""
	}
	_, rest, _ := strings.Cut(s, "://")
	_, id, ok := strings.Cut(rest, filePath)
	if !ok || strings.Count(rest, "/") != 2 || len(id) != len("00000000-0000-0000-0000-000000000000") ||
		store.CheckItem(kindFile, id, nil) != nil {
		return ""
	}
	return id
}
