package watermill

import (
	"log/slog"
	"os"
	"strings"
	"testing"

	pubsub "github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	"go.uber.org/goleak"

	"github.com/urutu-go/urutu/outbox"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/session/driver"
	"github.com/urutu-go/urutu/session/pgxdriver"
	"github.com/urutu-go/urutu/session/sqlitedriver"
	"github.com/urutu-go/urutu/urututest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run is the suite with one set of features.
type run struct {
	name     string
	features tests.Features
	// skips are the tests that the suite skips then, with the reasons.
	skips map[string]string
}

// Why a test is skipped.
const (
	notKept   = "a message that was handled is gone: a group gets what is published after it has subscribed"
	noRestart = "it restarts a server that others use, and its own code has a data race: conformance/chaos lets a server of its own fall"
	notOnce   = "the suite has it for at least once only, where it is run"
	noOrder   = "only messages of one key are in order"
)

// runs are all of them. What is true of urutu is set: that every message with a key is in order with those of its key,
// whoever subscribes, is shown where messages with one payload have one key.
var runs = []run{
	{
		"exactly once",
		tests.Features{ConsumerGroups: true, GuaranteedOrder: true, Persistent: true, ExactlyOnceDelivery: true},
		map[string]string{
			"TestNewSubscriberReceivesOldMessages": notKept, "TestReconnect": noRestart,
			"TestContinueAfterSubscribeClose": notOnce, "TestConcurrentClose": notOnce,
		},
	},
	{
		"at least once",
		tests.Features{ConsumerGroups: true, GuaranteedOrder: true, Persistent: true},
		map[string]string{"TestNewSubscriberReceivesOldMessages": notKept, "TestReconnect": noRestart},
	},
	{
		"without keys",
		tests.Features{ConsumerGroups: true, Persistent: true},
		map[string]string{
			"TestNewSubscriberReceivesOldMessages": notKept, "TestReconnect": noRestart,
			"TestPublishSubscribeInOrder": noOrder, "TestNoAck": noOrder,
		},
	},
}

// TestPubSub is Watermill's suite, at the size that it has with -short unless URUTU_WATERMILL=full.
func TestPubSub(t *testing.T) {
	for _, d := range urututest.Databases() {
		for _, r := range runs {
			t.Run(string(d)+" "+r.name, func(t *testing.T) {
				if inside() {
					r.features.ForceShort = os.Getenv("URUTU_WATERMILL") != "full"
					suite(t, d, r.features)
					return
				}
				for _, problem := range inProcess(t).problems(r.skips) {
					t.Error(problem)
				}
			})
		}
	}
}

// suite runs the suite in this process. All its tests share a database.
func suite(t *testing.T, d urututest.Database, features tests.Features) {
	db := open(t, d)
	group := func(t *testing.T, group string) (pubsub.Publisher, pubsub.Subscriber) {
		s := &subscriber{db: db, group: group}
		t.Cleanup(func() { // the suite leaves some open
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return &publisher{db: db, keyed: features.GuaranteedOrder}, s
	}
	tests.TestPubSub(t, features, func(t *testing.T) (pubsub.Publisher, pubsub.Subscriber) { return group(t, "everybody") }, group)
}

// open opens a database of the test's own. Its commits do not wait for the disk: nothing crashes here.
func open(t *testing.T, d urututest.Database) *session.DB {
	t.Helper()
	url := urututest.URL(t, d)
	if d == urututest.InPostgres {
		sep := "?"
		if strings.Contains(url, "?") {
			sep = "&"
		}
		url += sep + "synchronous_commit=off"
	}
	db, err := session.Open(t.Context(), session.Config{
		URL: url, Drivers: []driver.Driver{pgxdriver.New(), sqlitedriver.New()}, PoolSize: 16, MaxOverflow: -1, Logger: slog.New(slog.DiscardHandler),
	})
	if err == nil {
		err = db.Install(t.Context(), outbox.Component())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}
