package mongo

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/fhirfacade/fhirfacade/store"
)

// Up to layout 3 each string began with its tenant's name instead of its
// number. Bringing that forward writes every row anew, so no instance of an
// older program may be at work:
//
//  1. One instance takes the task; the others wait for it, and take it over
//     when it makes no progress any more.
//  2. The layout is set to 4, unfinished. No older program starts from here.
//  3. A batch is left in the log, as of a crash long ago. An instance of the
//     older program that runs applies and settles it within seconds. If that
//     happens the layout is set back and opening refused.
//  4. Each row is written under its new id, then the old one is removed. Old
//     and new ids cannot be mistaken for each other, so whoever goes on with
//     it finds what is left by the ids alone.
//  5. The layout is finished.

// canary is the tenant of step 3: no organization is called so.
const canary = store.Tenant("_layout")

const (
	// canaryPatience is how long it is left: older programs look every three
	// seconds, and settle at the look behind.
	canaryPatience = 10 * time.Second
	// takeoverAfter is how long the one at work may make no progress.
	takeoverAfter = 30 * time.Second
	// stepPatience bounds each of its round trips below that, so that one
	// that is taken over writes nothing afterwards.
	stepPatience = 15 * time.Second
	// rowsAtOnce and bytesAtOnce bound what is written anew in one round.
	rowsAtOnce  = 1000
	bytesAtOnce = 8 << 20
)

var errOlderInstance = errors.New("store/mongo: an instance of an older program runs on this database: stop all of them, then start this one again; nothing was changed")

// oldIDs is the range of ids of layouts before 4.
func oldIDs() bson.D {
	return bson.D{{Key: "_id", Value: bson.D{{Key: "$gte", Value: ""}, {Key: "$lt", Value: string(rune(firstNumber))}}}}
}

// renumbering brings a database from layout 3 to 4.
type renumbering struct {
	e        *engine
	by       string // whose task it is
	patience time.Duration
	takeover time.Duration
	// between lets a test cut it short.
	between func() error
}

var errTakenOver = errors.New("store/mongo: another instance went on with bringing the database forward")

func (e *engine) newRenumbering() (*renumbering, error) {
	id, err := e.newID()
	r := &renumbering{e: e, by: id, patience: canaryPatience, takeover: takeoverAfter, between: e.opts.whileRenumbering}
	if e.opts.canaryPatience != 0 {
		r.patience, r.takeover = e.opts.canaryPatience, e.opts.canaryPatience
	}
	return r, err
}

// run does all of it, or waits until another instance has.
func (r *renumbering) run(ctx context.Context) error {
	for {
		mine, err := r.take(ctx)
		if err != nil {
			return err
		}
		row, err := r.e.layout(ctx)
		if err != nil {
			return err
		}
		if row.Version > 3 && row.From == 0 {
			return nil // another one has
		}
		if !mine {
			continue
		}
		err = r.convert(ctx, row)
		if !errors.Is(err, errTakenOver) {
			return err
		}
	}
}

type taskRow struct {
	By   string `bson:"by"`
	Beat int64  `bson:"beat"`
}

func (r *renumbering) meta() *mongo.Collection { return r.e.db.Collection(colMeta) }

// take makes the task this instance's, when it is nobody's or whose it is
// makes no progress. It returns false when it has waited for a while.
func (r *renumbering) take(ctx context.Context) (bool, error) {
	task := bson.D{{Key: "_id", Value: "renumbering"}}
	var seen taskRow
	err := r.meta().FindOne(ctx, task).Decode(&seen)
	if errors.Is(err, mongo.ErrNoDocuments) {
		_, err = r.meta().InsertOne(ctx, append(task, bson.E{Key: "by", Value: r.by}, bson.E{Key: "beat", Value: int64(1)}))
		if mongo.IsDuplicateKeyError(err) {
			return false, nil
		}
		return err == nil, wrap(ctx, err)
	}
	if err != nil {
		return false, wrap(ctx, err)
	}
	for since := time.Now(); time.Since(since) < r.takeover; r.e.pause(r.takeover / 100) {
		var now taskRow
		err := r.meta().FindOne(ctx, task).Decode(&now)
		if errors.Is(err, mongo.ErrNoDocuments) || err == nil && now != seen {
			return false, nil
		}
		if err != nil {
			return false, wrap(ctx, err)
		}
	}
	result, err := r.meta().UpdateOne(ctx,
		append(task, bson.E{Key: "by", Value: seen.By}, bson.E{Key: "beat", Value: seen.Beat}),
		bson.D{{Key: "$set", Value: bson.D{{Key: "by", Value: r.by}, {Key: "beat", Value: seen.Beat + 1}}}})
	return err == nil && result.ModifiedCount == 1, wrap(ctx, err)
}

// step does something small if the task is still this instance's.
func (r *renumbering) step(ctx context.Context, do func(ctx context.Context) error) error {
	if r.between != nil {
		if err := r.between(); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, stepPatience)
	defer cancel()
	result, err := r.meta().UpdateOne(ctx, bson.D{{Key: "_id", Value: "renumbering"}, {Key: "by", Value: r.by}}, bson.D{{Key: "$inc", Value: bson.D{{Key: "beat", Value: int64(1)}}}})
	if err != nil {
		return wrap(ctx, err)
	}
	if result.MatchedCount == 0 {
		return errTakenOver
	}
	return do(ctx)
}

func (r *renumbering) setLayout(ctx context.Context, version, from int) error {
	return r.step(ctx, func(ctx context.Context) error {
		set := bson.D{{Key: "v", Value: version}}
		update := bson.D{}
		if from != 0 {
			set = append(set, bson.E{Key: "from", Value: from})
		} else {
			update = bson.D{{Key: "$unset", Value: bson.D{{Key: "from", Value: ""}}}}
		}
		if version > 3 {
			set = append(set, bson.E{Key: "t", Value: r.e.ordered})
		}
		_, err := r.meta().UpdateOne(ctx, bson.D{{Key: "_id", Value: "layout"}}, append(update, bson.E{Key: "$set", Value: set}), options.UpdateOne().SetUpsert(true))
		return wrap(ctx, err)
	})
}

func (r *renumbering) convert(ctx context.Context, row layoutRow) error {
	r.e.opts.Logger.Info("bringing the database forward: each row is written anew", "layout", 4)
	if row.From == 0 {
		r.e.ordered = r.e.genuine
		if err := r.setLayout(ctx, 4, 3); err != nil {
			return err
		}
	} else {
		r.e.ordered = row.Ordered // as it was begun
	}
	alone, err := r.alone(ctx)
	if err != nil {
		return err
	}
	if !alone {
		return r.refuse(ctx)
	}
	numbers := map[string]scope{}
	for _, c := range []struct {
		name   string
		change func(old oldScope, s scope, row bson.Raw) (any, error)
	}{
		{colDocs, renumberDoc}, {colBodies, renumberChunk}, {colSpill, renumberSpill}, {colLog, renumberLog}, {colItems, renumberItem},
	} {
		if err := r.rewrite(ctx, c.name, numbers, c.change); err != nil {
			return err
		}
	}
	if err := r.registerTenants(ctx, numbers); err != nil {
		return err
	}
	if !r.e.genuine {
		if err := dropIndex(ctx, r.e.docs, "t_1_n_1"); err != nil {
			return wrap(ctx, err)
		}
	}
	if err := r.setLayout(ctx, 4, 0); err != nil {
		return err
	}
	_, err = r.meta().DeleteOne(ctx, bson.D{{Key: "_id", Value: "renumbering"}, {Key: "by", Value: r.by}})
	return wrap(ctx, err)
}

// refuse undoes what alone did, unless rows were rewritten already: then the
// older instances must stop in any case.
func (r *renumbering) refuse(ctx context.Context) error {
	if n, err := r.e.tenants.CountDocuments(ctx, bson.D{{Key: "t", Value: bson.D{{Key: "$gt", Value: ""}}}}); err != nil {
		return wrap(ctx, err)
	} else if n == 0 {
		if err := r.setLayout(ctx, 3, 0); err != nil {
			return err
		}
	}
	if _, err := r.meta().DeleteOne(ctx, bson.D{{Key: "_id", Value: "renumbering"}, {Key: "by", Value: r.by}}); err != nil {
		return wrap(ctx, err)
	}
	return errOlderInstance
}

// alone reports whether no instance of an older program gives itself away.
func (r *renumbering) alone(ctx context.Context) (bool, error) {
	entries, payload, err := batch{}.encode()
	if err != nil {
		return false, err
	}
	id := oldScopeOf(canary).prefix + hex16(1)
	by := bson.D{{Key: "_id", Value: id}}
	left := logRow{ID: id, Last: 1, Time: bson.NewDateTimeFromTime(r.e.opts.Clock()), Commit: r.by, Entries: entries, Unsettled: 1, Payload: payload}
	if err := r.step(ctx, func(ctx context.Context) error {
		_, err := r.e.log.ReplaceOne(ctx, by, left, options.Replace().SetUpsert(true))
		return wrap(ctx, err)
	}); err != nil {
		return false, err
	}
	alone := true
	for since := time.Now(); alone && time.Since(since) < r.patience; r.e.pause(r.patience / 50) {
		err := r.step(ctx, func(ctx context.Context) error {
			var now logRow
			err := r.e.log.FindOne(ctx, by).Decode(&now)
			alone = err == nil && now.Unsettled != 0
			return wrap(ctx, err)
		})
		if err != nil {
			return false, err
		}
	}
	return alone, r.step(ctx, func(ctx context.Context) error {
		_, err := r.e.log.DeleteOne(ctx, by)
		return wrap(ctx, err)
	})
}

// rewrite gives all rows of a collection their new ids.
func (r *renumbering) rewrite(ctx context.Context, name string, numbers map[string]scope, change func(oldScope, scope, bson.Raw) (any, error)) error {
	c := r.e.db.Collection(name)
	for {
		n := 0
		err := r.step(ctx, func(ctx context.Context) error {
			rows, err := someRows(ctx, c)
			if err != nil || len(rows) == 0 {
				return err
			}
			n = len(rows)
			var ids bson.A
			var renewed []any
			for _, raw := range rows {
				id, _ := raw.Lookup("_id").StringValueOK()
				ids = append(ids, id)
				old, ok := oldScopeIn(id)
				if !ok {
					return errDamaged
				}
				s, ok := numbers[old.prefix]
				if !ok {
					if s, err = r.e.names.draw(ctx, old.tenant); err != nil {
						return err
					}
					s.walks = r.e.ordered
					numbers[old.prefix] = s
				}
				row, err := change(old, s, raw)
				if err != nil {
					return err
				}
				if row != nil {
					renewed = append(renewed, row)
				}
			}
			if len(renewed) > 0 {
				// What is there already was written before an interruption.
				if _, err := c.InsertMany(ctx, renewed, options.InsertMany().SetOrdered(false)); err != nil && !onlyDuplicates(err) {
					return wrap(ctx, err)
				}
			}
			_, err = c.DeleteMany(ctx, idsFilter(ids))
			return wrap(ctx, err)
		})
		if err != nil || n == 0 {
			return err
		}
	}
}

// onlyDuplicates reports that a bulk write found ids taken and did the rest.
func onlyDuplicates(err error) bool {
	var bulk mongo.BulkWriteException
	if !errors.As(err, &bulk) || bulk.WriteConcernError != nil || len(bulk.WriteErrors) == 0 {
		return false
	}
	for _, w := range bulk.WriteErrors {
		if !mongo.IsDuplicateKeyError(w) {
			return false
		}
	}
	return true
}

func someRows(ctx context.Context, c *mongo.Collection) ([]bson.Raw, error) {
	cursor, err := c.Find(ctx, oldIDs(), options.Find().SetLimit(rowsAtOnce))
	if err != nil {
		return nil, wrap(ctx, err)
	}
	defer func() { _ = cursor.Close(ctx) }()
	var out []bson.Raw
	for size := 0; size < bytesAtOnce && cursor.Next(ctx); {
		size += len(cursor.Current)
		out = append(out, append(bson.Raw(nil), cursor.Current...))
	}
	return out, wrap(ctx, cursor.Err())
}

// registerTenants carries over who has committed or holds items.
func (r *renumbering) registerTenants(ctx context.Context, numbers map[string]scope) error {
	cursor, err := r.e.tenants.Find(ctx, oldIDs())
	if err != nil {
		return wrap(ctx, err)
	}
	var rows []struct {
		ID string `bson:"_id"`
	}
	if err := cursor.All(ctx, &rows); err != nil {
		return wrap(ctx, err)
	}
	for _, row := range rows {
		err := r.step(ctx, func(ctx context.Context) error {
			old, ok := oldScopeIn(row.ID)
			if !ok {
				return errDamaged
			}
			s, ok := numbers[old.prefix]
			if !ok {
				if s, err = r.e.names.draw(ctx, old.tenant); err != nil {
					return err
				}
			}
			if err := r.e.register(ctx, s); err != nil {
				return err
			}
			_, err := r.e.tenants.DeleteOne(ctx, bson.D{{Key: "_id", Value: row.ID}})
			return wrap(ctx, err)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// oldScope reads the strings of layouts 1 to 3.
type oldScope struct {
	tenant store.Tenant
	prefix string
}

func oldScopeOf(t store.Tenant) oldScope { return oldScope{t, oldEscaped(string(t)) + oldSeparator} }

func oldScopeIn(id string) (oldScope, bool) {
	name, _, found := strings.Cut(id, oldSeparator)
	raw, ok := unescape(transcoded(name))
	return oldScope{store.Tenant(raw), name + oldSeparator}, found && ok
}

// Layouts 1 to 3 wrote byte b as U+00b, but 0x00 and 0x01 as U+0001 U+0002 and
// U+0001 U+0003; their separator was U+0001 U+0001.
const oldSeparator = "\x01\x01"

func oldEscaped(s string) string {
	var out strings.Builder
	for i := range len(s) {
		if s[i] < 2 {
			out.WriteByte(1)
			out.WriteByte(s[i] + 2)
		} else {
			out.WriteRune(rune(s[i]))
		}
	}
	return out.String()
}

// transcoded is what such strings, with any separators between them, are now.
func transcoded(old string) string {
	out := make([]byte, 0, len(old))
	pair := false
	for _, r := range old {
		switch {
		case pair:
			out, pair = utf8.AppendRune(out, r), false // 1 to 3 are 1 to 3 now
		case r == 1:
			pair = true
		default:
			out = utf8.AppendRune(out, r+firstByte)
		}
	}
	return string(out)
}

// renew puts the number where the name was.
func (o oldScope) renew(s scope, old string) string {
	if old == "" {
		return ""
	}
	return s.prefix + transcoded(strings.TrimPrefix(old, o.prefix))
}

// hex16 is how layouts 1 to 3 wrote numbers.
func hex16(n int64) string { return fmt.Sprintf("%016x", n) }

func unhex(s string) int64 {
	n, _ := strconv.ParseInt(s, 16, 64)
	return n
}

// versionOf takes apart what stands behind a document's tenant: its type and
// id, and the rest, which begins with the version if there is one.
func (o oldScope) versionOf(id string) (store.Ref, string, bool) {
	parts := strings.SplitN(strings.TrimPrefix(id, o.prefix), oldSeparator, 3)
	if len(parts) < 2 {
		return store.Ref{}, "", false
	}
	typ, ok1 := unescape(transcoded(parts[0]))
	name, ok2 := unescape(transcoded(parts[1]))
	if len(parts) == 2 {
		parts = append(parts, "")
	}
	return store.Ref{Type: typ, ID: name}, parts[2], ok1 && ok2
}

func renumberDoc(o oldScope, s scope, raw bson.Raw) (any, error) {
	var row docRow
	if err := bson.Unmarshal(raw, &row); err != nil {
		return nil, errDamaged
	}
	ref, version, ok := o.versionOf(row.ID)
	if !ok {
		return nil, errDamaged
	}
	if ref.Type == "" {
		return nil, nil //nolint:nilnil // a turn that somebody asked for: nobody does any more
	}
	row.ID = s.docID(ref)
	if version != "" {
		row.ID = s.versionID(ref, unhex(version))
	}
	for i, k := range row.Keys {
		row.Keys[i] = o.renew(s, k)
	}
	if row.Tenant = ""; s.walks && row.Number != 0 {
		row.Tenant = s.prefix
	}
	row.TypeOrder = s.typeOrder(ref.Type, row.Seq, int(row.Index))
	return row, nil
}

func renumberChunk(o oldScope, s scope, raw bson.Raw) (any, error) {
	var row chunkRow
	if err := bson.Unmarshal(raw, &row); err != nil {
		return nil, errDamaged
	}
	ref, place, ok := o.versionOf(row.ID)
	if !ok || len(place) != 24 {
		return nil, errDamaged
	}
	row.ID = s.chunkID(ref, unhex(place[:16]), int(unhex(place[16:])))
	return row, nil
}

func renumberSpill(o oldScope, s scope, raw bson.Raw) (any, error) {
	var row chunkRow
	if err := bson.Unmarshal(raw, &row); err != nil {
		return nil, errDamaged
	}
	row.ID = s.prefix + strings.TrimPrefix(row.ID, o.prefix)
	return row, nil
}

func renumberLog(o oldScope, s scope, raw bson.Raw) (any, error) {
	var row logRow
	if err := bson.Unmarshal(raw, &row); err != nil {
		return nil, errDamaged
	}
	row.ID = s.logID(unhex(strings.TrimPrefix(row.ID, o.prefix)))
	packed, err := changeEntries(&row, func(e *entryRow) {
		e.Source, e.Event = transcoded(e.Source), transcoded(e.Event)
	})
	row.Entries = packed
	return row, err
}

func renumberItem(o oldScope, s scope, raw bson.Raw) (any, error) {
	var row itemRow
	if err := bson.Unmarshal(raw, &row); err != nil {
		return nil, errDamaged
	}
	// The separators within places are transcoded as well.
	for _, place := range []*string{&row.ID, &row.K0, &row.K1, &row.K2, &row.K3} {
		*place = o.renew(s, *place)
	}
	for i, place := range row.KN {
		row.KN[i] = o.renew(s, place)
	}
	return row, nil
}
