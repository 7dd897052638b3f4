package notifications

import "slices"

// route is what a subscription demands exactly of an event: "" as the source
// and "*" as the data model stand for any.
type route struct {
	writeback         bool
	dataModel, source string
}

// routes finds the followers that an event may be for without asking all.
type routes map[route][]*follower

func routeOf(s Subscription) route { return route{s.Writebacks, s.DataModel, s.Source} }

func (r routes) add(f *follower) {
	k := routeOf(f.sub)
	r[k] = append(r[k], f)
}

func (r routes) remove(f *follower) {
	k := routeOf(f.sub)
	// A new slice: each may be going over the old one, as when it detaches
	// the follower that it is at.
	rest := slices.DeleteFunc(slices.Clone(r[k]), func(g *follower) bool { return g == f })
	if len(rest) == 0 {
		delete(r, k)
	} else {
		r[k] = rest
	}
}

// each calls do for every follower whose subscription matches.
func (r routes) each(l *logged, do func(f *follower)) {
	models := []string{l.event.DataModel, "*"}
	sources := []string{l.entry.Source, ""}
	for i, m := range models {
		for j, s := range sources {
			if i == 1 && models[0] == "*" || j == 1 && sources[0] == "" {
				continue // the same route again
			}
			for _, f := range r[route{l.event.Writeback, m, s}] {
				if f.sub.Matches(l.entry.Source, l.event) {
					do(f)
				}
			}
		}
	}
}
