package repository

import "strings"

// narrative rewrites the href and src attributes of XHTML
// (https://hl7.org/fhir/R4/http.html#trules). Text, comments and other
// attributes may hold the same and stay as they are.
func (l *linker) narrative(div string) (string, error) {
	var b strings.Builder
	written, i := 0, 0
	for i < len(div) {
		next := strings.IndexByte(div[i:], '<')
		if next < 0 {
			break
		}
		i += next
		if strings.HasPrefix(div[i:], "<!--") {
			end := strings.Index(div[i:], "-->")
			if end < 0 {
				break
			}
			i += end
			continue
		}
		i++
		for from, to := range attributesOf(div, &i) {
			link, ok := l.link(xhtmlReferences.Replace(div[from:to]))
			if ok {
				b.WriteString(div[written:from])
				b.WriteString(link)
				written = to
			}
		}
	}
	return b.String() + div[written:], nil
}

// xhtmlReferences decodes the one reference that a URL needs.
var xhtmlReferences = strings.NewReplacer("&amp;", "&", "&#38;", "&")

// link is what a fullUrl becomes, absolute or relative to the entry's own.
func (l *linker) link(url string) (string, bool) {
	if to, ok := l.links[url]; ok {
		return to, true
	}
	if l.base == "" {
		return "", false
	}
	to, ok := l.links[l.base+url]
	return to, ok
}

// attributesOf yields where the values of the href and src of a tag begin and
// end, and moves at, which is behind the tag's "<", to its ">".
func attributesOf(text string, at *int) func(yield func(from, to int) bool) {
	return func(yield func(from, to int) bool) {
		name := ""
		start := -1 // of a name
		i := *at
		defer func() { *at = i }()
		for ; i < len(text); i++ {
			switch c := text[i]; c {
			case '>':
				return
			case ' ', '\t', '\n', '\r', '/', '=':
				if start >= 0 {
					name, start = text[start:i], -1
				}
			case '"', '\'':
				end := strings.IndexByte(text[i+1:], c)
				if end < 0 {
					i = len(text)
					return
				}
				from := i + 1
				i = from + end
				if (name == "href" || name == "src") && !yield(from, i) {
					return
				}
				name = ""
			default:
				if start < 0 {
					start = i
				}
			}
		}
	}
}
