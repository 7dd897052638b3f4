package pebble

import (
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
)

// options are how pebble is set up. docs/performance.md has the figures.
func options(o Options, cache *pebble.Cache) *pebble.Options {
	p := &pebble.Options{
		FS:                 o.FS,
		Cache:              cache,
		FormatMajorVersion: pebble.FormatNewest,
		Logger:             logger{o.Logger, o.Fatal},
		// A resource is 1.3 KiB of JSON and some 30 index keys: 3.2 KiB of a
		// memtable. With 64 MiB of them a flush is 20,000 resources, and what
		// is flushed is read and written again as rarely as may be.
		MemTableSize: 64 << 20,
		// A flush makes one level 0 file in each part of the key space.
		L0CompactionThreshold: 4,
		L0StopWritesThreshold: 24,
		// Flushed files are compressed little, since they are soon written
		// again; the last level, which has nine tenths of the data, with zstd.
		CompactionConcurrencyRange: func() (int, int) { return 1, 2 },
	}
	p.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionBalanced })
	for i := range p.Levels {
		l := &p.Levels[i]
		// Some twenty documents that were committed together share a block and
		// most of their text, so that it compresses to a fifth. With blocks of
		// 4 KiB the same data takes a third more.
		l.BlockSize = 32 << 10
		l.IndexBlockSize = 256 << 10
		// A create asks for a name that is not there.
		l.FilterPolicy = bloom.FilterPolicy(10)
	}
	return p
}
