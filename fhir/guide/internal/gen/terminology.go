package main

// terminology are R4's value sets that bindings lead to, and the code systems
// that they and the guide's own draw from.
func (s *sources) terminology(from []object) []object {
	var all []object
	seen := map[string]bool{}
	var set func(url string)
	var system func(url string)
	compose := func(v object) {
		c, _ := v["compose"].(object)
		for _, name := range []string{"include", "exclude"} {
			for _, i := range list(c, name) {
				if str(i, "system") != "" && (i["concept"] == nil || i["filter"] != nil) {
					system(str(i, "system"))
				}
				sets, _ := i["valueSet"].([]any)
				for _, url := range sets {
					set(url.(string))
				}
			}
		}
	}
	system = func(url string) {
		cs := s.core["CodeSystem"][url]
		if cs == nil || seen[url] || str(cs, "content") != "complete" || count(cs) > maxCodes {
			return
		}
		seen[url] = true
		all = append(all, codeSystem(cs))
	}
	set = func(url string) {
		url = withoutVersion(url)
		v := s.core["ValueSet"][url]
		if v == nil || seen[url] {
			return
		}
		seen[url] = true
		all = append(all, valueSet(v))
		compose(v)
	}
	for _, r := range from {
		compose(r)
		snapshot, _ := r["snapshot"].(object)
		for _, e := range list(snapshot, "element") {
			b, _ := e["binding"].(object)
			set(str(b, "valueSet"))
			for _, x := range list(b, "extension") {
				set(str(x, "valueCanonical"))
			}
		}
	}
	return all
}

func count(o object) int {
	n := 0
	for _, c := range list(o, "concept") {
		n += 1 + count(c)
	}
	return n
}

func valueSet(v object) object {
	r := only(v, "resourceType", "url", "version")
	c, _ := v["compose"].(object)
	kept := object{}
	for _, name := range []string{"include", "exclude"} {
		var all []any
		for _, i := range list(c, name) {
			part := only(i, "system", "version", "filter", "valueSet")
			if concepts := codes(i, false); concepts != nil {
				part["concept"] = concepts
			}
			all = append(all, part)
		}
		if all != nil {
			kept[name] = all
		}
	}
	r["compose"] = kept
	return r
}

func codeSystem(c object) object {
	r := only(c, "resourceType", "url", "version", "caseSensitive", "content")
	r["concept"] = codes(c, true)
	return r
}

// codes keeps the codes of concepts, nested ones within.
func codes(o object, nested bool) []any {
	var all []any
	for _, c := range list(o, "concept") {
		kept := only(c, "code")
		if below := codes(c, nested); nested && below != nil {
			kept["concept"] = below
		}
		all = append(all, kept)
	}
	return all
}
