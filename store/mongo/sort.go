package mongo

import (
	"fmt"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/fhirfacade/fhirfacade/store"
)

// sorted is a page in the order of keys. No index can give that order: an
// array's index has a document once for each key. So the server computes the
// sort keys of all that match and keeps the least that the page needs.
//
// Each sort becomes two fields: s, the key or null, and m, 1 where it is
// null, so that missing ones come last in both directions.
func (b *searcher) sorted(filter bson.D, q store.Query) bson.D {
	keys, missing, order, list := bson.D{}, bson.D{}, bson.D{}, bson.A{}
	for i, by := range q.Sort {
		field, flag := fmt.Sprint("s", i), fmt.Sprint("m", i)
		pick, direction := "$min", 1
		if by.Descending {
			pick, direction = "$max", -1
		}
		keys = append(keys, bson.E{Key: field, Value: bson.D{{Key: pick, Value: b.scope.keysIn(by.Range)}}})
		missing = append(missing, bson.E{Key: flag, Value: bson.D{{Key: "$cond", Value: bson.A{
			bson.D{{Key: "$lte", Value: bson.A{"$" + field, nil}}}, 1, 0,
		}}}})
		list = append(list, bson.D{{Key: "$ifNull", Value: bson.A{"$" + field, nil}}})
		order = append(order, bson.E{Key: flag, Value: 1}, bson.E{Key: field, Value: direction})
	}
	order = append(order, bson.E{Key: "n", Value: 1})
	pipeline := bson.A{
		bson.D{{Key: "$match", Value: filter}},
		bson.D{{Key: "$set", Value: keys}},
	}
	if q.After != nil {
		pipeline = append(pipeline, bson.D{{Key: "$match", Value: b.scope.behind(q)}})
	}
	drop := noKeys
	if q.RefsOnly {
		drop = noBody
	}
	pipeline = append(pipeline,
		bson.D{{Key: "$set", Value: missing}},
		bson.D{{Key: "$sort", Value: order}},
		bson.D{{Key: "$limit", Value: int64(q.Limit) + 1}},
		bson.D{{Key: "$set", Value: bson.D{{Key: "sk", Value: list}}}},
		bson.D{{Key: "$project", Value: drop}},
	)
	return bson.D{
		{Key: "aggregate", Value: colDocs}, {Key: "pipeline", Value: pipeline},
		{Key: "cursor", Value: bson.D{{Key: "batchSize", Value: batchSize(q.Limit + 1)}}},
		{Key: "allowDiskUse", Value: true},
	}
}

// behind selects what comes after the cursor: what is behind it in the first
// sort, or equal in that and behind it in the second, and so on.
func (s scope) behind(q store.Query) bson.D {
	var ways, equal bson.A
	for i, by := range q.Sort {
		field, k := fmt.Sprint("s", i), q.After.Keys[i]
		if k == nil {
			equal = append(equal, bson.D{{Key: field, Value: nil}})
			continue // nothing is behind what is missing
		}
		op := "$gt"
		if by.Descending {
			op = "$lt"
		}
		beyond := bson.D{{Key: "$or", Value: bson.A{
			bson.D{{Key: field, Value: bson.D{{Key: op, Value: s.key(*k)}}}},
			bson.D{{Key: field, Value: nil}},
		}}}
		ways = append(ways, all(equal, beyond))
		equal = append(equal, bson.D{{Key: field, Value: s.key(*k)}})
	}
	ways = append(ways, all(equal, bson.D{{Key: "n", Value: bson.D{{Key: "$gt", Value: q.After.Number}}}}))
	return bson.D{{Key: "$or", Value: ways}}
}

func all(equal bson.A, last bson.D) bson.D {
	return bson.D{{Key: "$and", Value: append(append(bson.A{}, equal...), last)}}
}

// sortKeys are a row's, for a cursor.
func (r *foundRow) sortKeys(s scope) []*store.Key {
	var out []*store.Key
	for _, encoded := range r.Sorts {
		if encoded == nil {
			out = append(out, nil)
			continue
		}
		k := s.rawKey(*encoded)
		out = append(out, &k)
	}
	return out
}
