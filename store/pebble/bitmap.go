package pebble

// bitmap is a set of document numbers in little memory: documents that were
// committed one at a time take a bit each while they are dense, and where
// entries have many changes it is a bit for each change up to the greatest
// that is in the set.
type bitmap struct {
	pages map[bitPage]*[64]uint64
}

// bitPage is 4096 numbers: those of the changes with one index in 4096
// entries, since most entries have one change or few.
type bitPage struct {
	entries int64
	index   int32
}

// add reports whether the number was not in the set.
func (b *bitmap) add(number uint64) bool {
	seq, index := int64(number>>indexBits), int32(number&(1<<indexBits-1))
	if b.pages == nil {
		b.pages = map[bitPage]*[64]uint64{}
	}
	at := bitPage{seq >> 12, index}
	bit := seq & 0xFFF
	if index >= 16 { // a large entry: pages of its own, along the changes
		at = bitPage{-seq - 1, index >> 12}
		bit = int64(index & 0xFFF)
	}
	page := b.pages[at]
	if page == nil {
		page = new([64]uint64)
		b.pages[at] = page
	}
	old := page[bit>>6]
	page[bit>>6] = old | 1<<(bit&63)
	return old != page[bit>>6]
}
