package store

import "context"

// Explainer says how an engine answers a query.
type Explainer interface {
	// Explain answers the first page of a query and says how it went about
	// it. It names clauses by their place in the query, never by their keys.
	Explain(ctx context.Context, tenant Tenant, query Query) (Explanation, error)
}

// Explanation says how an engine answered a query.
type Explanation struct {
	// Order is how the documents were brought into order: "number" (walked in
	// it), "sort walk" (in the order of the sort keys), "gather and sort",
	// "sort" (by the database), "nothing" (there is nothing to walk), or what
	// an engine has beside these.
	Order string
	// Clauses are in the order in which they were decided upon.
	Clauses []ExplainedClause
	// Steps counts the postings and documents that were looked at.
	Steps int
	// Documents is the size of the page.
	Documents int
}

// ExplainedClause is what was decided about a clause.
type ExplainedClause struct {
	// Where is the clause's place in the query: "where/and[1]/or[0]".
	Where string
	// Kind is what it is: "key", "range", "or", "set" (a resolved chain).
	Kind string
	// Postings is how many index entries it has, as far as was looked; Exact
	// says that it has no more.
	Postings int
	Exact    bool
	// Use is "drive" (its documents are walked), "leap" (walked together with
	// others), "check" (compared with what the others select), "scan" (all
	// documents are compared with it), "server" (the database decides).
	Use string
}
