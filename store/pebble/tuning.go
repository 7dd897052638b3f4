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
		// A resource is 1.3 KiB of JSON and some 35 index keys: 3.5 KiB of a
		// memtable. Half of what a commit costs is finding the place of each
		// key there, which is slower in a larger one, for more misses of the
		// processor's cache. But index keys of new resources lie all over the
		// index, so that each merge writes all of it again: what is merged at
		// once must be much. With a million resources, memtables of 32 MiB and
		// the usual 64 MiB of LBaseMaxBytes take twice the compaction.
		MemTableSize:          64 << 20,
		L0CompactionThreshold: 8,
		L0StopWritesThreshold: 24,
		LBaseMaxBytes:         256 << 20,
		// Flushed files are compressed little, since they are soon written
		// again; the last level, which has nine tenths of the data, with zstd.
		CompactionConcurrencyRange: func() (int, int) { return 1, 2 },
	}
	p.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionBalanced })
	for i := range p.Levels {
		l := &p.Levels[i]
		// Some ten documents that were committed together share a block and
		// most of their text, so that it compresses well; but a search whose
		// results lie all over the store reads a block for each of them, twice.
		// Of the minified JSON, blocks of 8 KiB take 0.69, of 16 KiB 0.61 and
		// of 32 KiB 0.54 on disk (a hundred thousand resources).
		l.BlockSize = 16 << 10
		l.IndexBlockSize = 256 << 10
		// A create asks for a name that is not there.
		l.FilterPolicy = bloom.FilterPolicy(10)
	}
	return p
}
