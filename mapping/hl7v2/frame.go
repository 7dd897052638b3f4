package hl7v2

import "bytes"

// The bytes that frame a message in the minimal lower layer protocol (MLLP).
// HL7 Implementation Guide appendix C § C.4.3.
const (
	startBlock = 0x0B
	endBlock   = 0x1C
)

// AppendFrame appends a message in its frame.
func AppendFrame(dst, message []byte) []byte {
	return append(append(append(dst, startBlock), message...), endBlock, Terminator)
}

// Framer cuts messages out of a stream of MLLP frames. It takes bytes as they
// come, a part of a frame or several at once, and holds no more than one frame
// and what came behind it.
//
// What stands between frames is passed over. A frame that has no start is
// taken where the stream goes on with MSH; one that has no carriage return
// behind its end, when the next one begins or [Framer.Pause] is called. A new
// start in an open frame drops what came before it.
type Framer struct {
	// Max is the largest message; 0 is MaxBytes.
	Max int
	// Dropped counts the frames that were dropped because a new one began.
	Dropped int

	buf     []byte
	open    bool
	scanned int // of buf, without the end of a frame
}

// Write takes what came from the stream. It always takes all.
func (f *Framer) Write(p []byte) (int, error) {
	f.buf = append(f.buf, p...)
	return len(p), nil
}

// Open tells whether a frame has begun and not ended.
func (f *Framer) Open() bool { return f.open || len(f.buf) > 0 }

// Ending tells whether the frame has an end without a carriage return so far.
func (f *Framer) Ending() bool {
	return f.open && len(f.buf) > 0 && f.buf[len(f.buf)-1] == endBlock
}

// Next returns the next message of what came, without its frame. It is nil
// where more is to come. The bytes are the caller's. After an error the stream
// cannot be understood any more.
func (f *Framer) Next() ([]byte, error) {
	for {
		if !f.open && !f.begin() {
			return nil, nil
		}
		end, next, done := f.end()
		switch {
		case done:
			return f.take(end, next)
		case !f.open:
			continue // dropped
		}
		limit := f.Max
		if limit <= 0 {
			limit = MaxBytes
		}
		if len(f.buf) > limit+1 {
			return nil, problem(ErrSize, Path{}, "a frame is larger than the limit")
		}
		return nil, nil
	}
}

// Pause says that nothing more came for a while: a frame whose end has no
// carriage return behind it is complete.
func (f *Framer) Pause() ([]byte, error) {
	if n := len(f.buf); f.Ending() {
		return f.take(n-1, n)
	}
	return nil, nil
}

// take cuts the message that ends at end; the stream goes on at next.
func (f *Framer) take(end, next int) ([]byte, error) {
	limit := f.Max
	if limit <= 0 {
		limit = MaxBytes
	}
	if end > limit {
		return nil, problem(ErrSize, Path{}, "a frame is larger than the limit")
	}
	message := f.buf[:end:end]
	// The rest moves to memory of its own, so that the message can be kept.
	f.buf = append([]byte(nil), f.buf[next:]...)
	f.open, f.scanned = false, 0
	return message, nil
}

// begin looks for the start of a frame and drops what stands before it.
func (f *Framer) begin() bool {
	start := bytes.IndexByte(f.buf, startBlock)
	if bare := bytes.TrimLeft(f.buf, "\r\n \x1c"); bytes.HasPrefix(bare, []byte("MSH")) {
		if at := len(f.buf) - len(bare); start < 0 || at < start {
			f.buf, f.open, f.scanned = bare, true, 0
			return true
		}
	} else if start < 0 && len(bare) < 3 && string(bare) == "MSH"[:len(bare)] {
		f.buf = bare // may become MSH
		return false
	}
	if start < 0 {
		f.buf = f.buf[:0]
		return false
	}
	f.buf, f.open, f.scanned = f.buf[start+1:], true, 0
	return true
}

// end looks for the end of the open frame: where the message ends and where
// the stream goes on.
func (f *Framer) end() (end, next int, done bool) {
	for f.scanned < len(f.buf) {
		i := bytes.IndexAny(f.buf[f.scanned:], "\x0b\x1c")
		if i < 0 {
			f.scanned = len(f.buf)
			return 0, 0, false
		}
		at := f.scanned + i
		switch {
		case f.buf[at] == startBlock:
			f.Dropped++
			f.buf, f.open, f.scanned = f.buf[at:], false, 0
			return 0, 0, false
		case at+1 == len(f.buf):
			f.scanned = at // what follows decides
			return 0, 0, false
		case f.buf[at+1] == Terminator:
			return at, at + 2, true
		case f.buf[at+1] == startBlock:
			return at, at + 1, true
		}
		f.scanned = at + 1
	}
	return 0, 0, false
}
