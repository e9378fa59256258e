package chaos

import (
	"strings"
	"testing"
)

// account is a ledger of one unit of each outcome, and the tables as they ought to be after it.
func account() (*Ledger, State) {
	l := &Ledger{Intents: map[string]*Intent{}, Outcomes: map[string]Outcome{"a": Committed, "b": RolledBack}}
	for _, m := range []Sent{
		{Event: Event{Unit: "a", Key: "key-00", Seq: 1}},
		{Event: Event{Unit: "a", Index: 1, Key: "key-00", Seq: 2}, Undone: true},
		{Event: Event{Unit: "a", Index: 2}},
		{Event: Event{Unit: "b", Key: "key-00", Seq: 2}},
		{Event: Event{Unit: "c", Key: "key-00", Seq: 2}},
		{Event: Event{Unit: "c", Index: 1, Key: "loose-00"}},
		{Event: Event{Unit: "d", Key: "key-00", Seq: 3}},
	} {
		if l.Intents[m.Unit] == nil {
			l.Intents[m.Unit] = &Intent{Unit: m.Unit}
		}
		l.Intents[m.Unit].Messages = append(l.Intents[m.Unit].Messages, m)
	}
	s := State{Units: map[string]int64{"a": 10, "c": 20}, Counters: map[string]int64{"key-00": 2}}
	for _, group := range []string{ledgerGroup, mirrorGroup} {
		for _, e := range []Effect{
			{Unit: "a", Key: "key-00", Seq: 1, Follows: group == ledgerGroup},
			{Unit: "a", Idx: 2},
			{Unit: "c", Key: "key-00", Seq: 2},
			{Unit: "c", Idx: 1, Key: "loose-00"},
		} {
			e.Grp = group
			s.Effects = append(s.Effects, e)
		}
	}
	s.Effects = append(s.Effects, Effect{Grp: followUps, Unit: "a", Key: "key-00", Seq: 1})
	for _, e := range s.Effects[:4] {
		s.Sent = append(s.Sent, Event{Unit: e.Unit, Index: int(e.Idx), Key: e.Key, Seq: e.Seq})
	}
	s.Sent = append(s.Sent, s.Sent[0]) // a broker may get a message again
	return l, s
}

func TestNothingIsFoundWhereNothingIsWrong(t *testing.T) {
	counts, findings := Check(account())
	if len(findings) > 0 {
		t.Error(findings)
	}
	if want := (Counts{Committed: 1, RolledBack: 1, Unknown: 2, Messages: 8, Effects: 9, Follows: 1, Sent: 5, Again: 1}); counts != want {
		t.Errorf("%+v, not %+v", counts, want)
	}
}

// TestWhatIsWrongIsFound: each thing that must not be is found, and is called what it is.
func TestWhatIsWrongIsFound(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(l *Ledger, s *State)
		want  string
	}{
		"an effect is missing":              {func(_ *Ledger, s *State) { s.Effects = s.Effects[1:8] }, "lost"},
		"an effect is there twice":          {func(_ *Ledger, s *State) { s.Effects = append(s.Effects, s.Effects[1]) }, "duplicate"},
		"a committed unit is gone":          {func(_ *Ledger, s *State) { delete(s.Units, "a") }, "lost"},
		"a unit came back":                  {func(_ *Ledger, s *State) { s.Units["b"] = 30 }, "phantom"},
		"an effect of a rolled-back unit":   {func(_ *Ledger, s *State) { s.add("b", 0, "key-00", 2) }, "phantom"},
		"an effect of an undone message":    {func(_ *Ledger, s *State) { s.add("a", 1, "key-00", 2) }, "phantom"},
		"an effect of an unknown message":   {func(_ *Ledger, s *State) { s.add("z", 0, "", 0) }, "phantom"},
		"an effect of half a unit":          {func(_ *Ledger, s *State) { delete(s.Units, "c") }, "phantom"},
		"half a unit":                       {func(_ *Ledger, s *State) { s.Effects = append(s.Effects[:3:3], s.Effects[4:]...) }, "lost"},
		"the order of the numbers":          {func(_ *Ledger, s *State) { s.Effects[0], s.Effects[2] = s.Effects[2], s.Effects[0] }, "reordered"},
		"the order of the commits":          {orderOfCommits, "reordered"},
		"another number":                    {func(_ *Ledger, s *State) { s.Effects[2].Seq = 7 }, "corrupt"},
		"a follow-up is missing":            {func(_ *Ledger, s *State) { s.Effects = s.Effects[:8] }, "lost"},
		"a follow-up that nobody published": {func(_ *Ledger, s *State) { s.Effects[0].Follows = false }, "phantom"},
		"a follow-up is there twice":        {func(_ *Ledger, s *State) { s.Effects = append(s.Effects, s.Effects[8]) }, "duplicate"},
		"the broker did not get one":        {func(_ *Ledger, s *State) { s.Sent = s.Sent[:3] }, "lost"},
		"the broker got what was undone":    {func(_ *Ledger, s *State) { s.Sent = append(s.Sent, Event{Unit: "a", Index: 1}) }, "phantom"},
		"the broker got what nobody knows":  {func(_ *Ledger, s *State) { s.Sent = append(s.Sent, Event{Unit: "z"}) }, "phantom"},
		"the broker got another order":      {func(_ *Ledger, s *State) { s.Sent[0], s.Sent[2], s.Sent[4] = s.Sent[2], s.Sent[0], s.Sent[2] }, "reordered"},
		"the counter went on":               {func(_ *Ledger, s *State) { s.Counters["key-00"] = 3 }, "split"},
	} {
		t.Run(name, func(t *testing.T) {
			l, s := account()
			c.spoil(l, &s)
			_, findings := Check(l, s)
			if Kinds(findings)[c.want] == 0 {
				t.Errorf("found %v, nothing %s", findings, c.want)
			}
		})
	}
}

func (s *State) add(unit string, index int64, key string, seq int64) {
	s.Effects = append(s.Effects, Effect{Grp: mirrorGroup, Unit: unit, Idx: index, Key: key, Seq: seq})
}

// orderOfCommits adds a unit that committed earlier and is handled later.
func orderOfCommits(l *Ledger, s *State) {
	l.Intents["e"] = &Intent{"e", []Sent{{Event: Event{Unit: "e", Key: "loose-00"}}}}
	l.Outcomes["e"], s.Units["e"] = Committed, 15
	s.Sent = append(s.Sent, Event{Unit: "e", Key: "loose-00"})
	s.add("e", 0, "loose-00", 0)
}

func TestFindingsSayWhatTheyAreAbout(t *testing.T) {
	l, s := account()
	s.Effects = s.Effects[:8]
	_, findings := Check(l, s)
	if len(findings) != 1 || !strings.HasPrefix(findings[0].String(), "LOST: the follow-up of message 0 of unit a") {
		t.Error(findings)
	}
}
