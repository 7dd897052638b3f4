package crashtest

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/fhirfacade/fhirfacade/store"
	"github.com/fhirfacade/fhirfacade/store/mongo"
	"github.com/fhirfacade/fhirfacade/store/pebble"
)

// kills is how many are wanted of each engine.
func kills(t *testing.T) int {
	if text := os.Getenv("FHIRFACADE_CRASH"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("FHIRFACADE_CRASH is %q, not a number of kills", text)
		}
		return n
	}
	if testing.Short() {
		t.Skip("kills the real program; run without -short")
	}
	return 10
}

// seed decides what is written and when the program dies.
func seed(t *testing.T) uint64 {
	s := uint64(time.Now().UnixNano()) % 1_000_000
	if text := os.Getenv("FHIRFACADE_CRASH_SEED"); text != "" {
		var err error
		if s, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("FHIRFACADE_CRASH_SEED is %q, not a number", text)
		}
	}
	t.Logf("seed %d; FHIRFACADE_CRASH_SEED=%d repeats it", s, s)
	return s
}

func TestKilledOnPebble(t *testing.T) {
	n := kills(t)
	dir := t.TempDir()
	g := &game{t: t, instances: []*instance{newInstance(t, "--data", dir)}}
	g.direct = func(open func(store.Store)) {
		// A copy, as a killed process leaves it: what opens the folder mends
		// it, and the program must find it unmended.
		copied := filepath.Join(t.TempDir(), "copy")
		if err := os.CopyFS(copied, os.DirFS(dir)); err != nil {
			t.Fatal(err)
		}
		s, err := pebble.Open(copied, pebble.Options{})
		if err != nil {
			t.Fatal(err)
		}
		open(s)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	g.play(n)
}

func TestKilledOnMongoDB(t *testing.T) {
	n := kills(t)
	uri := mongoURI(t)
	name := database(t, uri)
	args := []string{"--mongodb-uri", uri, "--mongodb-database", name}
	g := &game{t: t, instances: []*instance{newInstance(t, args...), newInstance(t, args...)}}
	g.direct = func(open func(store.Store)) {
		s, err := mongo.Open(t.Context(), mongo.Options{URI: uri, Database: name})
		if err != nil {
			t.Fatal(err)
		}
		open(s)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	g.play(n)
}

// game plays rounds of writing, killing and checking.
type game struct {
	t         *testing.T
	instances []*instance
	// direct hands over the store itself, while all instances are dead.
	direct func(open func(store.Store))

	random  *rand.Rand
	load    *load
	checker *checker
	killed  int
}

// everyRounds is how often everything is checked again, not only what is new.
const everyRounds = 25

func (g *game) play(n int) {
	g.random = rand.New(rand.NewPCG(seed(g.t), 1))
	g.load = newLoad(g.t)
	g.checker = newChecker(g.t, g.load.book)
	start := time.Now()
	for _, i := range g.instances {
		i.start()
	}
	g.load.transactions = takesTransactions(g.t, g.instances[0].url)
	if !g.load.transactions {
		g.t.Log("this server takes no transactions: none were tried")
	}
	g.load.seedShared(g.instances[0].url)
	for round := 1; g.killed < n; round++ {
		g.round()
		if round%everyRounds == 0 || g.killed >= n {
			g.everything()
			g.t.Logf("%d kills in %.0f s: %s; %d versions", g.killed, time.Since(start).Seconds(), g.load.book.summary(), len(g.checker.history))
		} else {
			g.checker.check(g.instances[0].url, false)
		}
		if g.t.Failed() {
			g.t.Fatalf("after kill %d; the program's last words: %.2000s", g.killed, g.instances[0].log)
		}
	}
}

// everything checks all that was ever written, by the API and in the store
// itself, for which all instances must die.
func (g *game) everything() {
	g.checker.check(g.instances[0].url, true)
	for _, i := range g.instances {
		i.kill()
	}
	g.direct(g.checker.checkLog)
	for _, i := range g.instances {
		i.start()
	}
}

// writers is how many write to each instance.
const writers = 4

// round writes for a while, kills some instances amid it, and starts them
// again. One in five is killed again while it starts.
func (g *game) round() {
	stop := make(chan struct{})
	var all sync.WaitGroup
	for _, i := range g.instances {
		for range writers {
			w := &writer{load: g.load, c: newClient(i.url), random: rand.New(rand.NewPCG(g.random.Uint64(), 2))}
			all.Go(func() {
				defer w.c.close()
				w.run(g.t.Context(), stop)
			})
		}
	}
	g.wait(400)
	victims := g.victims()
	for _, i := range victims {
		i.kill()
		g.killed++
	}
	if len(victims) < len(g.instances) {
		// The others go on where the dead one left off.
		g.wait(100)
	}
	close(stop)
	all.Wait()
	for _, i := range victims {
		if g.random.IntN(5) == 0 {
			i.launch()
			g.wait(250)
			i.kill()
			g.killed++
		}
		i.launch()
	}
	for _, i := range victims {
		i.ready()
	}
}

// wait lets up to so many milliseconds pass: the moment of a crash is what is
// random here.
func (g *game) wait(most int) {
	timer := time.NewTimer(time.Duration(g.random.IntN(most*1000)) * time.Microsecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-g.t.Context().Done():
	}
}

// victims are one instance or all of them.
func (g *game) victims() []*instance {
	if len(g.instances) == 1 || g.random.IntN(3) == 0 {
		return g.instances
	}
	i := g.random.IntN(len(g.instances))
	return g.instances[i : i+1]
}
