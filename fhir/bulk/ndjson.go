package bulk

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// ErrLineTooLong: a line is longer than what is stored. It was passed over.
var ErrLineTooLong = errors.New("the line is longer than this server stores")

// Lines reads the lines of NDJSON one by one. No more than one line, of the
// length allowed, is in memory.
type Lines struct {
	in  *bufio.Reader
	max int
	buf []byte
	// number of the last line, from 1, and where the next begins.
	number, offset int64
}

// NewLines reads lines of at most max bytes.
func NewLines(in io.Reader, max int) *Lines {
	return &Lines{in: bufio.NewReaderSize(in, 64<<10), max: max}
}

// Number is the number, from 1, of the line that Next has returned.
func (l *Lines) Number() int64 { return l.number }

// Offset is how many bytes were read up to the end of that line.
func (l *Lines) Offset() int64 { return l.offset }

// Behind makes as if an earlier reading had come up to here.
func (l *Lines) Behind(number, offset int64) { l.number, l.offset = number, offset }

var byteOrderMark = []byte("\xef\xbb\xbf")

// Next returns the next line that is not empty, which is valid until the next
// call, or io.EOF. ErrLineTooLong is about one line only.
func (l *Lines) Next() ([]byte, error) {
	for {
		line, err := l.read()
		if err != nil && !errors.Is(err, ErrLineTooLong) {
			return nil, err
		}
		if l.number++; err != nil {
			return nil, err
		}
		if l.number == 1 {
			line = bytes.TrimPrefix(line, byteOrderMark)
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			return line, nil
		}
	}
}

// read returns a line with its end, or io.EOF when there is nothing more. A
// line that an error cuts off is none.
func (l *Lines) read() ([]byte, error) {
	l.buf = l.buf[:0]
	read, long := 0, false
	for {
		part, err := l.in.ReadSlice('\n')
		read += len(part)
		if long = long || len(l.buf)+len(bytes.TrimRight(part, "\r\n")) > l.max; !long {
			l.buf = append(l.buf, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && read == 0:
			return nil, io.EOF
		case err != nil && !errors.Is(err, io.EOF):
			return nil, err
		}
		l.offset += int64(read)
		if long {
			return nil, ErrLineTooLong
		}
		return l.buf, nil
	}
}
