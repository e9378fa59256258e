package session_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session"
)

var relateCases = []testCase{
	{"case_053_a_key_is_filled_in_from_the_relation", case053},
	{"case_053_relation_and_key_disagree", case053Disagree},
	{"case_053_the_side_that_changed_counts", case053Changed},
	{"case_053_children_follow_their_list", case053Children},
	{"case_053_part_of_the_key", case053Key},
	{"case_053_rolled_back_keys_are_taken_back", case053Rollback},
	{"case_053_a_table_in_between", case053Links},
	{"case_053_what_add_reaches", case053Reach},
	{"case_053_relations_among_hooks", case053Hooks},
	{"case_053_a_row_that_is_read_anew", case053Refresh},
}

// Writer, Book and Genre have every kind of relation.
type Writer struct {
	entity.Identifiable
	Name   string
	MuseID *uuid.UUID `db:"muse_id,ref=writers"`
	Muse   *Writer    `rel:"muse_id"`
	Books  []*Book    `rel:"books.writer_id"`
	Sketch *Sketch    `rel:"sketches.writer_id"`
}

type Book struct {
	entity.Identifiable
	WriterID uuid.UUID `db:"writer_id,ref=writers"`
	Title    string
	Writer   *Writer  `rel:"writer_id"`
	Pages    []*Page  `rel:"pages.book_id"`
	Genres   []*Genre `rel:"book_genres(book_id,genre_id)"`
}

// Page is a page, whose key is its book and number.
type Page struct {
	entity.Table `db:"table:pages"`
	BookID       uuid.UUID `db:"book_id,pk,ref=books"`
	Number       int       `db:"number,pk"`
	Book         *Book     `rel:"book_id"`
}

type Sketch struct {
	WriterID uuid.UUID `db:"writer_id,pk,ref=writers"`
	Text     string
}

type Genre struct {
	entity.Serial
	Name  string
	Books []*Book `rel:"book_genres(genre_id,book_id)"`
}

// BookGenre is the table in between, as the test looks at it.
type BookGenre struct {
	entity.Table `db:"table:book_genres"`
	BookID       uuid.UUID `db:"book_id,pk,ref=books,ondelete=cascade"`
	GenreID      int64     `db:"genre_id,pk,ref=genres,ondelete=cascade"`
}

func openLibrary(t *testing.T, b backend) *fixture {
	t.Helper()
	f := open(t, b)
	f.do(t, func(ctx context.Context) error {
		return session.CreateTables(ctx, (*BookGenre)(nil), (*Writer)(nil), (*Book)(nil), (*Page)(nil), (*Sketch)(nil), (*Genre)(nil))
	})
	f.reset()
	return f
}

func case053(t *testing.T, b backend) {
	f := openLibrary(t, b)
	muse := &Writer{Name: "muse"}
	w := &Writer{Name: "w", Muse: muse, Sketch: &Sketch{Text: "hi"}, Books: []*Book{{Title: "one"}, {Title: "two"}}}
	third := &Book{Title: "three", Writer: w}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, third) })
	if n := len(f.trips()); n != 1 {
		t.Errorf("%d trips: %v", n, f.trips())
	}
	if w.MuseID == nil || *w.MuseID != muse.ID || w.Sketch.WriterID != w.ID || third.WriterID != w.ID || w.Books[1].WriterID != w.ID {
		t.Errorf("keys: %+v %+v %+v", w, w.Sketch, third)
	}
	if count[Writer](t, f) != 2 || count[Book](t, f) != 3 || count[Sketch](t, f) != 1 {
		t.Error("something was not stored")
	}
}

func case053Disagree(t *testing.T, b backend) {
	f := openLibrary(t, b)
	w := entity.New[Writer]()
	for name, book := range map[string]*Book{
		"of the child":  {Writer: w, WriterID: uuid.New()},
		"of the parent": {WriterID: uuid.New()},
	} {
		f.reset()
		err := f.Do(t.Context(), func(ctx context.Context) error {
			if name == "of the child" {
				return session.Add(ctx, book)
			}
			return session.Add(ctx, &Writer{Books: []*Book{book}})
		})
		var fe *fault.Error
		if !errors.As(err, &fe) || fe.Kind != fault.Invalid || len(fe.Fields) != 1 || fe.Fields[0].Name != "WriterID" || len(f.trips()) > 0 {
			t.Errorf("%s: %v after %v", name, err, f.trips())
		}
	}
}

func case053Changed(t *testing.T, b backend) {
	f := openLibrary(t, b)
	first, second, third := entity.New[Writer](), entity.New[Writer](), entity.New[Writer]()
	book := &Book{Title: "b", Writer: first}
	f.do(t, func(ctx context.Context) error {
		return errors.Join(session.Add(ctx, first, second, third), session.Add(ctx, book))
	})
	f.do(t, func(ctx context.Context) error {
		book, err := session.Get[Book](ctx, book.ID)
		if err != nil {
			return err
		}
		w, err := session.Get[Writer](ctx, second.ID)
		if err != nil {
			return err
		}
		book.Writer = w // the relation was changed, and its key follows
		if err := session.Flush(ctx); err != nil || book.WriterID != second.ID {
			return fmt.Errorf("the key is %v: %w", book.WriterID, err)
		}
		book.WriterID = third.ID // the key was changed, and the relation is not loaded any more
		if err := session.Flush(ctx); err != nil || book.Writer != nil {
			return fmt.Errorf("the relation is %v: %w", book.Writer, err)
		}
		first, err := session.Get[Writer](ctx, first.ID)
		if err != nil {
			return err
		}
		first.Muse = w
		if err := session.Flush(ctx); err != nil || *first.MuseID != w.ID {
			return err
		}
		first.Muse = nil // a key that can be NULL becomes that
		if err := session.Flush(ctx); err != nil || first.MuseID != nil {
			return fmt.Errorf("the key is %v: %w", first.MuseID, err)
		}
		return nil
	})
	if got := row[Book](t, f, book.ID); got.WriterID != third.ID {
		t.Errorf("stored: %+v", got)
	}
	if got := row[Writer](t, f, first.ID); got.MuseID != nil {
		t.Errorf("stored: %+v", got)
	}
}

func case053Children(t *testing.T, b backend) {
	f := openLibrary(t, b)
	from, to := &Writer{Books: []*Book{{Title: "a"}, {Title: "b"}}}, &Writer{}
	f.do(t, func(ctx context.Context) error {
		if err := session.Add(ctx, from, to); err != nil {
			return err
		}
		if err := session.Flush(ctx); err != nil {
			return err
		}
		if to.Books == nil {
			t.Error("a new object's list is not there")
		}
		to.Books = append(to.Books, from.Books[0], &Book{Title: "c"})
		from.Books[1].WriterID = to.ID // moved by its key: its place in the old list does not bring it back
		return nil
	})
	for _, book := range append(to.Books, from.Books[1]) {
		if got := row[Book](t, f, book.ID); got.WriterID != to.ID {
			t.Errorf("%s is with %v", got.Title, got.WriterID)
		}
	}
	// What leaves a list stays what it is: its key says where it belongs.
	f.do(t, func(ctx context.Context) error {
		w, err := session.Get[Writer](ctx, to.ID)
		if err != nil {
			return err
		}
		w.Books = []*Book{}
		return nil
	})
	if n := count[Book](t, f); n != 3 {
		t.Errorf("%d books", n)
	}
}

func case053Key(t *testing.T, b backend) {
	f := openLibrary(t, b)
	book := &Book{Title: "b", Writer: &Writer{}, Pages: []*Page{{Number: 1}, {Number: 2}}}
	f.do(t, func(ctx context.Context) error { return session.Add(ctx, book) })
	f.do(t, func(ctx context.Context) error {
		book, err := session.Get[Book](ctx, book.ID)
		return errors.Join(err, session.Add(ctx, &Page{Number: 3, Book: book}))
	})
	for n := 1; n <= 3; n++ {
		if got := row[Page](t, f, session.Key{book.ID, n}); got.Number != n {
			t.Errorf("page %d: %+v", n, got)
		}
	}
}

func case053Rollback(t *testing.T, b backend) {
	f := openLibrary(t, b)
	w := &Writer{Name: "w"}
	book := &Book{Title: "b", Genres: []*Genre{{Name: "g"}}}
	w.Books = []*Book{book}
	boom := errors.New("boom")
	f.do(t, func(ctx context.Context) error {
		for range 2 {
			err := session.Nested(ctx, func(ctx context.Context) error {
				if err := errors.Join(session.Add(ctx, w), session.Flush(ctx)); err != nil {
					return err
				}
				return boom
			})
			if !errors.Is(err, boom) {
				return err
			}
			if w.ID != uuid.Nil || book.WriterID != uuid.Nil || book.Genres[0].ID != 0 || book.Pages != nil || len(w.Books) != 1 {
				t.Errorf("left: %+v %+v", w, book)
			}
		}
		return session.Add(ctx, w)
	})
	if count[Book](t, f) != 1 || count[Genre](t, f) != 1 || count[BookGenre](t, f) != 1 {
		t.Error("what was added again is not stored")
	}
	// A stored object's relation and key come back together.
	f.do(t, func(ctx context.Context) error {
		stored, err := session.Get[Book](ctx, book.ID)
		if err != nil {
			return err
		}
		err = session.Nested(ctx, func(ctx context.Context) error {
			stored.Writer = &Writer{Name: "other"}
			return errors.Join(session.Flush(ctx), boom)
		})
		if stored.Writer != nil || stored.WriterID != w.ID {
			t.Errorf("after the rollback: %+v", stored)
		}
		if errors.Is(err, boom) {
			return nil
		}
		return err
	})
	if n := count[Writer](t, f); n != 1 {
		t.Errorf("%d writers", n)
	}
}

func case053Links(t *testing.T, b backend) {
	f := openLibrary(t, b)
	scary, funny := &Genre{Name: "scary"}, &Genre{Name: "funny"}
	book := &Book{Title: "b", Writer: &Writer{}, Genres: []*Genre{scary, funny}}
	f.do(t, func(ctx context.Context) error {
		if err := errors.Join(session.Add(ctx, book), session.Flush(ctx)); err != nil {
			return err
		}
		dry := &Genre{Name: "dry"}
		book.Genres = []*Genre{funny, dry}
		return nil
	})
	links := func() int64 { return count[BookGenre](t, f) }
	if n := links(); n != 2 || count[Genre](t, f) != 3 {
		t.Errorf("%d links", n)
	}
	f.do(t, func(ctx context.Context) error { // from the other end
		g, err := session.Get[Genre](ctx, scary.ID)
		if err != nil {
			return err
		}
		bk, err := session.Get[Book](ctx, book.ID)
		if err != nil {
			return err
		}
		g.Books = append(g.Books, bk)
		if err := session.Flush(ctx); err != nil {
			return err
		}
		bk.Genres = []*Genre{g} // it is there already, seen from here too
		return nil
	})
	if n := links(); n != 3 {
		t.Errorf("%d links", n)
	}
	f.do(t, func(ctx context.Context) error {
		bk, err := session.Get[Book](ctx, book.ID)
		return errors.Join(err, session.Delete(ctx, bk))
	})
	if n := links(); n != 0 {
		t.Errorf("%d links are left of a deleted book", n)
	}
}

func case053Reach(t *testing.T, b backend) {
	f := openLibrary(t, b)
	w := &Writer{Muse: &Writer{Name: "muse"}, Books: []*Book{{Title: "b"}}}
	w.Muse.Muse = w // a circle of pointers
	f.do(t, func(ctx context.Context) error {
		if err := session.Add(ctx, w); err != nil {
			return err
		}
		for name, has := range map[string]func() (bool, error){
			"muse": func() (bool, error) { return session.Contains(ctx, w.Muse) },
			"book": func() (bool, error) { return session.Contains(ctx, w.Books[0]) },
		} {
			if ok, err := has(); !ok || err != nil {
				t.Errorf("%s is not added: %v", name, err)
			}
		}
		return nil
	})
	if got := row[Writer](t, f, w.Muse.ID); got.MuseID == nil || *got.MuseID != w.ID {
		t.Errorf("the circle: %+v", got)
	}
	err := f.Do(t.Context(), func(ctx context.Context) error {
		stored, err := session.Get[Writer](ctx, w.ID)
		if err != nil {
			return err
		}
		return session.New(ctx, func(ctx context.Context) error { return session.Add(ctx, &Book{Writer: stored}) })
	})
	if !errors.Is(err, fault.IdentityConflict) {
		t.Errorf("an object of the enclosing unit: %v", err)
	}
	err = f.Do(t.Context(), func(ctx context.Context) error { return session.Add(ctx, &Writer{Books: []*Book{nil}}) })
	if !errors.Is(err, fault.Invalid) {
		t.Errorf("nil in a list: %v", err)
	}
}

func case053Hooks(t *testing.T, b backend) {
	f := openLibrary(t, b)
	w := &Writer{Name: "w"}
	f.do(t, func(ctx context.Context) error {
		done := false
		err := session.OnFlush(ctx, session.FlushHooks{Before: func(context.Context) error {
			if !done {
				w.Books = append(w.Books, &Book{Title: "from a hook"})
			}
			done = true
			return nil
		}})
		return errors.Join(err, session.Add(ctx, w))
	})
	if n := count[Book](t, f); n != 1 {
		t.Errorf("%d books", n)
	}
}

func case053Refresh(t *testing.T, b backend) {
	f := openLibrary(t, b)
	first, second := &Writer{Name: "first"}, &Writer{Name: "second"}
	book := &Book{Title: "b", Writer: first}
	f.do(t, func(ctx context.Context) error { return errors.Join(session.Add(ctx, second), session.Add(ctx, book)) })
	f.do(t, func(ctx context.Context) error {
		mine, err := session.Get[Book](ctx, book.ID)
		if err != nil {
			return err
		}
		if mine.Writer, err = session.Get[Writer](ctx, first.ID); err != nil {
			return err
		}
		if err := session.Flush(ctx); err != nil {
			return err
		}
		update := "UPDATE books SET writer_id = '" + second.ID.String() + "'"
		if _, err := session.From(ctx).ExecContext(ctx, update); err != nil {
			return err
		}
		if err := session.Refresh(ctx, mine); err != nil || mine.Writer != nil || mine.WriterID != second.ID {
			return fmt.Errorf("after the refresh: %+v: %w", mine, err)
		}
		mine.Writer = &Writer{Name: "third"} // and what Refresh throws away goes with its relation
		if err := session.Refresh(ctx, mine); err != nil || mine.Writer != nil {
			return fmt.Errorf("after the second refresh: %+v: %w", mine, err)
		}
		return nil
	})
	if got := row[Book](t, f, book.ID); got.WriterID != second.ID || count[Writer](t, f) != 2 {
		t.Errorf("stored: %+v", got)
	}
}
