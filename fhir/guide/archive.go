package guide

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strings"
)

// The limits of a package. The largest published one (hl7.terminology) unpacks
// to less than half of them.
const (
	// MaxUnpacked is the size of all files of a package.
	MaxUnpacked = 512 << 20
	// MaxFile is the size of one file.
	MaxFile = 64 << 20
	// MaxFiles is the number of files.
	MaxFiles = 50_000
	// maxName is the length of a file's name in bytes.
	maxName = 500
)

// Error is why a package cannot be used.
type Error struct {
	// Package is the name that the package was given by, File the file in it,
	// "" for the package as a whole.
	Package, File string
	// Rule is what it breaks.
	Rule string
	// Cause is set where another error says more.
	Cause error
}

func (e *Error) Error() string {
	at := "package " + e.Package
	if e.File != "" {
		at += ": " + e.File
	}
	if e.Cause != nil {
		return at + ": " + e.Rule + ": " + e.Cause.Error()
	}
	return at + ": " + e.Rule
}

func (e *Error) Unwrap() error { return e.Cause }

// limits bound what is read; tests make them small.
type limits struct{ unpacked, file, files int64 }

var errTooLarge = errors.New("too large")

// counted counts what is read of the unpacked stream, padding and headers
// included, so that nothing in it gets by the limit.
type counted struct {
	r    io.Reader
	left int64
}

func (c *counted) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errTooLarge
	}
	if int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.r.Read(p)
	c.left -= int64(n)
	return n, err
}

// unpack calls visit with each file of a gzipped tar archive. Only regular
// files and folders may be in it, none outside of its folder. wanted tells
// which contents are read.
func unpack(name string, r io.Reader, l limits, wanted func(file string) bool, visit func(file string, data []byte) error) error {
	fail := func(file, format string, args ...any) error {
		return &Error{Package: name, File: file, Rule: fmt.Sprintf(format, args...)}
	}
	broken := func(file string, err error) error {
		if errors.Is(err, errTooLarge) {
			return fail(file, "the package unpacks to more than %d bytes", l.unpacked)
		}
		return &Error{Package: name, File: file, Rule: "it is no gzipped tar archive, or cut off", Cause: err}
	}
	zip, err := gzip.NewReader(r)
	if err != nil {
		return broken("", err)
	}
	stream := &counted{zip, l.unpacked}
	archive := tar.NewReader(stream)
	seen := map[string]bool{}
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return broken("", err)
		}
		file := header.Name
		shown := strings.ToValidUTF8(file[:min(len(file), maxName)], "?")
		clean := path.Clean(file)
		switch {
		case int64(len(seen)) >= l.files:
			return fail("", "it has more than %d files", l.files)
		case len(file) > maxName:
			return fail(shown, "the name of the file is longer than %d bytes", maxName)
		case path.IsAbs(file) || slices.Contains(strings.Split(file, "/"), "..") || strings.ContainsAny(file, "\\\x00") || len(file) > 1 && file[1] == ':':
			return fail(shown, "the file lies outside of the package's folder")
		case header.Typeflag == tar.TypeDir || header.Typeflag == tar.TypeXGlobalHeader:
			continue
		case header.Typeflag != tar.TypeReg:
			return fail(shown, "it is neither a file nor a folder")
		case header.Size > l.file:
			return fail(shown, "the file has more than %d bytes", l.file)
		case seen[clean]:
			return fail(shown, "the file is there twice")
		}
		seen[clean] = true
		if !wanted(clean) {
			continue
		}
		data, err := io.ReadAll(archive)
		if err != nil {
			return broken(shown, err)
		}
		if err := visit(clean, data); err != nil {
			return err
		}
	}
	// What lies behind the archive counts, and shows whether it is whole.
	if _, err := io.Copy(io.Discard, stream); err != nil {
		return broken("", err)
	}
	return nil
}
