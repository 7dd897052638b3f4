package mongo

import (
	"errors"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// Packed bytes begin with how they are packed.
const (
	packedPlain byte = iota
	packedZstd
)

// Coders are safe for concurrent use and cost much to make.
var (
	encoder = sync.OnceValue(func() *zstd.Encoder {
		e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(true))
		if err != nil {
			panic(err) // the options are constant
		}
		return e
	})
	decoder = sync.OnceValue(func() *zstd.Decoder {
		d, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(2<<30))
		if err != nil {
			panic(err) // the options are constant
		}
		return d
	})
)

var errDamaged = errors.New("store/mongo: stored bytes are damaged")

// pack compresses where that saves space. Nothing packs to nothing.
func pack(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	if len(b) > 64 {
		out := encoder().EncodeAll(b, append(make([]byte, 0, len(b)/2), packedZstd))
		if len(out) < len(b) {
			return out
		}
	}
	return append([]byte{packedPlain}, b...)
}

func unpack(b []byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, nil
	}
	switch b[0] {
	case packedPlain:
		return b[1:], nil
	case packedZstd:
		out, err := decoder().DecodeAll(b[1:], nil)
		if err != nil {
			return nil, errDamaged
		}
		return out, nil
	}
	return nil, errDamaged
}
