package hl7v2

// Batch are the messages of a batch: the text of each, from its MSH on. A
// message alone is the only one. What stands around them, the headers and
// trailers of files and batches, says nothing of its own.
// HL7 v2.5.1 § 2.10.3.
func (m *Message) Batch() [][]byte {
	var all [][]byte
	start := -1
	for _, s := range m.segments {
		if name := s.Name(); name != "MSH" && name != "BTS" && name != "FTS" && name != "FHS" && name != "BHS" {
			continue
		}
		if start >= 0 {
			all = append(all, m.text[start:s.name:s.name])
			start = -1
		}
		if s.Is("MSH") {
			start = int(s.name)
		}
	}
	if start >= 0 {
		all = append(all, m.text[start:])
	}
	return all
}

// Batched tells whether the text has a batch's header around its messages.
func (m *Message) Batched() bool {
	return m.segments[0].Is("FHS") || m.segments[0].Is("BHS")
}
