package query_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/query"
)

// answered is an error of a database: an SQLSTATE, and words behind it.
type answered string

func (a answered) Error() string    { return string(a) }
func (a answered) SQLState() string { return string(a[:5]) }

// mooded is a filter by columns of types that only the database knows, and by another one.
type mooded struct {
	Mood   query.StringCriteria
	Name   query.StringCriteria
	Weight []string
}

func moodOf(text string) query.Filters {
	return query.ApplyFilters(mooded{Mood: exactly(text), Name: exactly("fine"), Weight: []string{"1"}})
}

func exactly(text string) query.StringCriteria {
	return query.StringCriteria{Value: text, IsExact: true, CaseSensitive: true}
}

// blamed prints what an error has become.
func blamed(e *fault.Error) string {
	var names []string
	for _, f := range e.Fields {
		names = append(names, f.Name)
	}
	return strings.TrimSpace(string(e.Kind) + " " + strings.Join(names, " "))
}

// TestOnlyWhatIsNoValueIsBlamed: a client is to blame for a text that is no value of a type, and for nothing that the program
// computes or assigns.
func TestOnlyWhatIsNoValueIsBlamed(t *testing.T) {
	t.Parallel()
	m, p := modelOf[product](t)
	const noMood = answered(`22P02 invalid input value for enum mood: "gloomy"`)
	invalid := func(err error) *fault.Error { return &fault.Error{Kind: fault.Invalid, Err: err} }
	gloomy, within, sets := moodOf("gloomy"), moodOf("oo"), query.Set(&p.Mood, "gloomy")
	read, updated, deleted := query.Compile(m, gloomy), update(m, sets, gloomy), removal(m, gloomy)
	other, another := query.Compile(m, within), update(m, sets, within)
	for _, c := range []struct {
		name  string
		blame func(e *fault.Error)
		err   *fault.Error
		want  string
	}{
		{"its own value", read.Blame, invalid(noMood), "bad_request mood.value"},
		{"the same within others", read.Blame, invalid(fmt.Errorf("run: %w", noMood)), "bad_request mood.value"},
		{"a form that no date has", read.Blame, invalid(answered("22007 ?")), "bad_request mood.value"},
		{"a date that there is not", read.Blame, invalid(answered("22008 ?")), "bad_request mood.value"},
		{"a value whose words are others", other.Blame, invalid(noMood), "bad_request mood.value"},
		{"a sum out of range", read.Blame, invalid(answered(`22003 "gloomy"`)), "invalid"},
		{"a text that is too long", read.Blame, invalid(answered(`22001 "gloomy"`)), "invalid"},
		{"a division by zero", read.Blame, invalid(answered(`22012 "gloomy"`)), "invalid"},
		{"no answer of a database", read.Blame, invalid(fmt.Errorf(`"gloomy"`)), "invalid"},
		{"no cause", read.Blame, invalid(nil), "invalid"},
		{"another kind", read.Blame, &fault.Error{Kind: fault.Stale, Err: noMood}, "stale"},
		{"of a deletion", deleted.Blame, invalid(answered("22P02 ?")), "bad_request mood.value"},
		{"of an update", updated.Blame, invalid(noMood), "bad_request mood.value"},
		{"assigned by an update", another.Blame, invalid(noMood), "invalid"},
		{"of an update, in words that are not known", updated.Blame, invalid(answered("22P02 ?")), "invalid"},
	} {
		if c.blame(c.err); blamed(c.err) != c.want {
			t.Errorf("%s: %s, want %s", c.name, blamed(c.err), c.want)
		}
	}
}
