package operate

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"

	"github.com/fhirfacade/fhirfacade/fhir/bulk"
)

// maxWhole is the most bytes of a file that is one resource over many lines,
// and of the line by which a file is told to be NDJSON.
const maxWhole = 64 << 20

// A piece of a file is sent at once: so many bytes, or lines, and then to the
// end of the line.
const (
	pieceBytes = 16 << 20
	pieceLines = 20_000
)

// input is a file that is being read, piece by piece.
type input struct {
	file io.Closer
	in   *bufio.Reader
}

// openInput opens a file of NDJSON or of one resource, packed or not, behind
// what was read of it.
func openInput(path string, offset int64) (*input, error) {
	whole, err := isWhole(path)
	if err != nil {
		return nil, err
	}
	in, err := unpacked(path)
	if err != nil {
		return nil, err
	}
	if whole {
		var line []byte
		if line, err = oneLine(in.in); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, err), in.file.Close())
		}
		in.in = bufio.NewReader(bytes.NewReader(line))
	}
	if _, err := io.CopyN(io.Discard, in.in, offset); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), in.file.Close())
	}
	return in, nil
}

func unpacked(path string) (*input, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	in := bufio.NewReaderSize(f, 64<<10)
	if magic, _ := in.Peek(2); len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b { // RFC 1952 § 2.3.1
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, err), f.Close())
		}
		in = bufio.NewReaderSize(z, 64<<10)
	}
	return &input{f, in}, nil
}

// isWhole reports whether a file is one resource over many lines: its first
// line is no JSON by itself.
func isWhole(path string) (bool, error) {
	in, err := unpacked(path)
	if err != nil {
		return false, err
	}
	defer in.file.Close()
	lines := bulk.NewLines(in.in, maxWhole)
	line, err := lines.Next()
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, bulk.ErrLineTooLong):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("%s: %w", path, err)
	case json.Valid(line):
		return false, nil
	}
	// NDJSON may begin with a line that is faulty; then another follows that
	// begins like one.
	second, err := lines.Next()
	return err != nil || second[0] != '{', nil
}

// ErrTooLarge: a file that is one resource is larger than what is sent as one.
var ErrTooLarge = fmt.Errorf("the file is one resource of more than %d MiB; NDJSON may be of any length", maxWhole>>20)

// oneLine is a resource without what stands between its tokens; what is no
// JSON keeps its text, and the server says what is wrong with it.
func oneLine(in io.Reader) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(in, maxWhole+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxWhole {
		return nil, ErrTooLarge
	}
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	var line bytes.Buffer
	if json.Compact(&line, text) == nil {
		return line.Bytes(), nil
	}
	return bytes.ReplaceAll(bytes.ReplaceAll(text, []byte{'\n'}, []byte{' '}), []byte{'\r'}, []byte{' '}), nil
}

// more reports whether there is something left to read.
func (i *input) more() (bool, error) {
	if _, err := i.in.Peek(1); errors.Is(err, io.EOF) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	return true, nil
}

// piece reads whole lines up to a limit.
type piece struct {
	in   *bufio.Reader
	rest []byte
	// bytes and lines were read; ended says that there are no more in it.
	bytes, lines int64
	ended        bool
}

func (p *piece) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		if p.ended {
			return 0, io.EOF
		}
		part, err := p.in.ReadSlice('\n')
		switch {
		case err == nil:
			p.lines++
		case errors.Is(err, io.EOF):
			p.ended = true
			if len(part) > 0 {
				p.lines++
			}
		case !errors.Is(err, bufio.ErrBufferFull):
			return 0, err
		}
		p.rest, p.bytes = part, p.bytes+int64(len(part))
		if err == nil && (p.bytes >= pieceBytes || p.lines >= pieceLines) {
			p.ended = true
		}
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	return n, nil
}
