package session_test

import (
	"context"
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// TestLinks has a case for each thing that once went wrong with rows in between: random programs (see TestModel) had
// found them.
func TestLinks(t *testing.T) {
	t.Parallel()
	runCases(t, []testCase{
		{"seen_from_the_end_whose_list_is_not_loaded", withLink(linkSeenFromOneEnd)},
		{"taken_off_at_both_ends_one_after_the_other", withLink(linkTakenOffTwice)},
		{"taken_off_and_put_back_before_the_flush", withLink(linkPutBack)},
		{"linked_again_after_its_row_was_deleted", withLink(linkedAgain)},
		{"linked_again_in_a_savepoint_that_is_undone", withLink(linkedAgainUndone)},
		{"an_end_was_deleted", withLink(linkEndDeleted)},
		{"an_end_was_deleted_and_expunged", withLink(linkEndExpunged)},
		{"an_end_was_deleted_and_its_key_given_anew", withLink(linkEndAnew)},
		{"an_end_gives_its_key_away", withLink(linkKeyGiven)},
		{"an_end_gives_its_key_away_once_unlinked", withLink(linkKeyGivenUnlinked)},
		{"an_end_gives_its_key_away_before_the_row_is_written", withLink(linkKeyGivenPending)},
		{"a_new_end_is_deleted_again", withLink(linkNewEnd)},
		{"a_stored_end_is_deleted_at_once", withLink(linkStoredEnd)},
		{"a_new_end_is_deleted_and_added_again", withLink(linkNewEndAgain)},
		{"a_row_that_is_not_to_be_written_runs_no_hook", withLink(linkNoHook)},
		{"read_anew_where_it_had_been_deleted_and_committed", withLink(linkReadAfterCommit)},
		{"read_anew_at_the_other_end", withLink(linkReadAtOtherEnd)},
		{"read_anew_where_it_had_been_deleted", withLink(linkReadAfterFlush)},
		{"read_anew_by_an_object_that_was_expunged", withLink(linkReadExpunged)},
		{"gone_elsewhere_and_the_other_list_is_stale", withLink(linkGone)},
		{"gone_elsewhere_after_the_session_had_made_it", withLink(linkGoneOwn)},
		{"gone_elsewhere_and_taken_off_here", withLink(linkGoneTwice)},
		{"made_elsewhere_and_the_other_list_is_stale", withLink(linkMade)},
		{"made_elsewhere_and_the_other_list_is_not_loaded", withLink(linkMadeUnknown)},
		{"only_those_of_another_object_are_read", withLink(linkReadAnother)},
		{"read_anew_before_the_deletion_is_flushed", withLink(linkReadDoomed)},
		{"read_anew_before_the_addition_is_flushed", withLink(linkReadPending)},
		{"read_anew_in_a_savepoint_that_is_undone", withLink(linkReadUndone)},
		{"deleted_and_read_anew_in_a_savepoint_that_is_undone", withLink(linkDeletedReadUndone)},
		{"read_anew_of_ends_that_are_soft_deleted", linkSoftDeleted},
	})
}

// library is a stored book that has a stored genre.
type library struct {
	*fixture
	book  uuid.UUID
	genre int64
}

func withLink(run func(t *testing.T, f *library)) func(t *testing.T, b backend) {
	return func(t *testing.T, b backend) {
		book := &Book{Title: "b", Writer: &Writer{Name: "w"}, Genres: []*Genre{{Name: "g"}}}
		f := &library{fixture: openLibrary(t, b)}
		f.do(t, func(ctx context.Context) error { return session.Add(ctx, book) })
		f.book, f.genre = book.ID, book.Genres[0].ID
		run(t, f)
	}
}

// unit runs fn with the book and the genre, both with their lists, and wants that many rows in between after it.
func (f *library) unit(t *testing.T, want int64, fn func(ctx context.Context, book *Book, genre *Genre)) {
	t.Helper()
	f.do(t, func(ctx context.Context) error {
		genre, err := session.Get[Genre](ctx, f.genre, query.With(&genres.Books))
		must(t, err)
		book, err := session.Get[Book](ctx, f.book, query.With(&books.Genres))
		must(t, err)
		fn(ctx, book, genre)
		return nil
	})
	wantRows[BookGenre](t, f.fixture, want)
}

var genres = entity.Columns[Genre]()

// another returns a book that is to take over the key of one.
func (b *Book) another(genres ...*Genre) *Book {
	return &Book{Identifiable: b.Identifiable, Title: "another", WriterID: b.WriterID, Genres: genres}
}

func linkSeenFromOneEnd(t *testing.T, f *library) {
	f.do(t, func(ctx context.Context) error {
		genre, err := session.Get[Genre](ctx, f.genre, query.With(&genres.Books))
		must(t, err)
		genre.Books[0].Genres = []*Genre{genre} // which it has, though its list was not loaded
		return nil
	})
	wantRows[BookGenre](t, f.fixture, 1)
}

func linkTakenOffTwice(t *testing.T, f *library) {
	f.unit(t, 0, func(ctx context.Context, book *Book, genre *Genre) {
		book.Genres = []*Genre{}
		must(t, session.Flush(ctx))
		genre.Books = []*Book{}
		must(t, session.Flush(ctx))
	})
}

func linkPutBack(t *testing.T, f *library) {
	f.unit(t, 1, func(ctx context.Context, book *Book, genre *Genre) {
		book.Genres = []*Genre{}
		notice(t, ctx, book)
		book.Genres = []*Genre{genre}
	})
}

func linkedAgain(t *testing.T, f *library) {
	f.unit(t, 1, func(ctx context.Context, book *Book, genre *Genre) {
		book.Genres = []*Genre{}
		must(t, session.Flush(ctx))
		book.Genres = []*Genre{genre}
	})
}

func linkedAgainUndone(t *testing.T, f *library) {
	f.unit(t, 0, func(ctx context.Context, book *Book, genre *Genre) {
		book.Genres = []*Genre{}
		must(t, session.Flush(ctx))
		err := session.Nested(ctx, func(ctx context.Context) error {
			book.Genres = []*Genre{genre}
			return errors.Join(session.Flush(ctx), errInner)
		})
		if !errors.Is(err, errInner) || len(book.Genres) != 0 {
			t.Errorf("the book has %d genres: %v", len(book.Genres), err)
		}
		genre.Books = []*Book{}
		must(t, session.Flush(ctx))
	})
}

func linkEndDeleted(t *testing.T, f *library) {
	f.unit(t, 0, func(ctx context.Context, book *Book, genre *Genre) {
		must(t, errors.Join(session.Delete(ctx, book), session.Flush(ctx)))
		genre.Books = []*Book{}
		must(t, session.Flush(ctx))
	})
}

func linkEndExpunged(t *testing.T, f *library) {
	f.unit(t, 0, func(ctx context.Context, book *Book, genre *Genre) {
		must(t, errors.Join(session.Delete(ctx, book), session.Flush(ctx), session.Expunge(ctx, book)))
		genre.Books = []*Book{}
		must(t, session.Flush(ctx))
	})
}

func linkEndAnew(t *testing.T, f *library) {
	f.unit(t, 1, func(ctx context.Context, book *Book, genre *Genre) {
		book.Genres = []*Genre{}
		must(t, session.Flush(ctx))
		book.Genres = []*Genre{genre}
		must(t, session.Flush(ctx)) // the session knows the row
		must(t, errors.Join(session.Delete(ctx, book), session.Flush(ctx)))
		must(t, errors.Join(session.Add(ctx, book.another(genre)), session.Flush(ctx)))
	})
}

func linkKeyGiven(t *testing.T, f *library) {
	f.unit(t, 1, func(ctx context.Context, book *Book, genre *Genre) {
		book.Genres = []*Genre{}
		must(t, session.Flush(ctx))
		book.Genres = []*Genre{genre}
		must(t, session.Flush(ctx)) // the session knows the row
		must(t, errors.Join(session.Delete(ctx, book), session.Add(ctx, book.another(genre)), session.Flush(ctx)))
	})
}

func linkKeyGivenUnlinked(t *testing.T, f *library) {
	f.unit(t, 1, func(ctx context.Context, book *Book, genre *Genre) {
		book.Genres = []*Genre{}
		notice(t, ctx, book)
		must(t, errors.Join(session.Delete(ctx, book), session.Add(ctx, book.another(genre)), session.Flush(ctx)))
	})
}

func linkKeyGivenPending(t *testing.T, f *library) {
	f.unit(t, 1, func(ctx context.Context, book *Book, genre *Genre) {
		book.Genres = []*Genre{}
		must(t, session.Flush(ctx))
		book.Genres = []*Genre{genre}
		notice(t, ctx, book)
		must(t, errors.Join(session.Delete(ctx, book), session.Add(ctx, book.another(genre)), session.Flush(ctx)))
	})
}

func linkNewEnd(t *testing.T, f *library) {
	f.unit(t, 1, func(ctx context.Context, book *Book, genre *Genre) {
		fresh := &Book{Title: "fresh", WriterID: book.WriterID}
		genre.Books = append(genre.Books, fresh)
		notice(t, ctx, genre)
		must(t, errors.Join(session.Delete(ctx, fresh), session.Flush(ctx)))
	})
}

func linkStoredEnd(t *testing.T, f *library) {
	other := &Genre{Name: "other"}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, other) })
	f.unit(t, 1, func(ctx context.Context, book *Book, _ *Genre) {
		other, err := session.Get[Genre](ctx, other.ID)
		must(t, err)
		book.Genres = append(book.Genres, other)
		notice(t, ctx, book)
		f.reset()
		must(t, errors.Join(session.Delete(ctx, other), session.Flush(ctx)))
		if f.sent("INSERT") {
			t.Errorf("a row in between was written for a row that goes: %q", f.trips())
		}
	})
}

func linkNewEndAgain(t *testing.T, f *library) {
	f.unit(t, 1, func(ctx context.Context, book *Book, genre *Genre) {
		fresh := entity.New[Book]()
		fresh.WriterID = book.WriterID
		genre.Books = append(genre.Books, fresh)
		notice(t, ctx, genre)
		must(t, errors.Join(session.Delete(ctx, fresh), session.Flush(ctx)))
		must(t, session.Add(ctx, fresh))
		genre.Books = []*Book{book}
		must(t, session.Flush(ctx))
	})
}

func linkNoHook(t *testing.T, f *library) {
	f.unit(t, 1, func(ctx context.Context, book *Book, genre *Genre) {
		must(t, session.OnFlush(ctx, session.FlushHooks{Before: func(context.Context) error {
			t.Error("a hook has run, with nothing to write")
			return nil
		}}))
		fresh := &Book{Title: "fresh", WriterID: book.WriterID}
		genre.Books = append(genre.Books, fresh)
		notice(t, ctx, genre)
		must(t, errors.Join(session.Delete(ctx, fresh), session.Flush(ctx)))
	})
}

// notice makes the session look at an object's relations without writing anything.
func notice[T any](t testing.TB, ctx context.Context, obj *T) {
	t.Helper()
	_, err := session.IsModified(ctx, obj)
	must(t, err)
}
