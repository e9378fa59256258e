package session_test

import (
	"context"

	"github.com/urutu-go/urutu/entity"
	"github.com/urutu-go/urutu/query"
	"github.com/urutu-go/urutu/session"
)

// mVerbs are the session's verbs for one entity, so that a program can be written without its type.
type mVerbs struct {
	make       func() any
	add        func(ctx context.Context, ptr any) error
	remove     func(ctx context.Context, ptr any) error
	expunge    func(ctx context.Context, ptr any) error
	refresh    func(ctx context.Context, ptr any) error
	merge      func(ctx context.Context, ptr any) (any, error)
	state      func(ctx context.Context, ptr any) (session.State, error)
	isModified func(ctx context.Context, ptr any) (bool, error)
	get        func(ctx context.Context, key any, clauses ...query.Clause) (any, error)
	lookup     func(ctx context.Context, key any) (any, bool, error)
	getMany    func(ctx context.Context, keys ...any) ([]any, []any, error)
	find       func(ctx context.Context, clauses ...query.Clause) ([]any, error)
	count      func(ctx context.Context, clauses ...query.Clause) (int64, error)
	exists     func(ctx context.Context, clauses ...query.Clause) (bool, error)
	load       func(ctx context.Context, ptr any, with query.Relation) error
}

func mVerbsOf[T any]() mVerbs {
	return mVerbs{
		make:    func() any { return new(T) },
		add:     func(ctx context.Context, ptr any) error { return session.Add(ctx, ptr.(*T)) },
		remove:  func(ctx context.Context, ptr any) error { return session.Delete(ctx, ptr.(*T)) },
		expunge: func(ctx context.Context, ptr any) error { return session.Expunge(ctx, ptr.(*T)) },
		refresh: func(ctx context.Context, ptr any) error { return session.Refresh(ctx, ptr.(*T)) },
		merge:   func(ctx context.Context, ptr any) (any, error) { return session.Merge(ctx, ptr.(*T)) },
		state: func(ctx context.Context, ptr any) (session.State, error) {
			return session.StateOf(ctx, ptr.(*T))
		},
		isModified: func(ctx context.Context, ptr any) (bool, error) { return session.IsModified(ctx, ptr.(*T)) },
		get: func(ctx context.Context, key any, clauses ...query.Clause) (any, error) {
			return session.Get[T](ctx, key, clauses...)
		},
		lookup: func(ctx context.Context, key any) (any, bool, error) { return session.Lookup[T](ctx, key) },
		getMany: func(ctx context.Context, keys ...any) ([]any, []any, error) {
			found, missing, err := session.GetMany[T](ctx, keys...)
			return mAny(found), missing, err
		},
		find: func(ctx context.Context, clauses ...query.Clause) ([]any, error) {
			found, err := session.Find[T](ctx, clauses...)
			return mAny(found), err
		},
		count: func(ctx context.Context, clauses ...query.Clause) (int64, error) {
			return session.Count[T](ctx, clauses...)
		},
		exists: func(ctx context.Context, clauses ...query.Clause) (bool, error) {
			return session.Exists[T](ctx, clauses...)
		},
		load: func(ctx context.Context, ptr any, with query.Relation) error {
			return session.Load(ctx, []*T{ptr.(*T)}, with)
		},
	}
}

func mAny[T any](objs []*T) []any {
	all := make([]any, len(objs))
	for i, o := range objs {
		all[i] = o
	}
	return all
}

var (
	mShelfColumns   = entity.Columns[mShelf]()
	mBoxColumns     = entity.Columns[mBox]()
	mStickerColumns = entity.Columns[mSticker]()
	mBranchColumns  = entity.Columns[mBranch]()
	mTwigColumns    = entity.Columns[mTwig]()
	mMemoColumns    = entity.Columns[mMemo]()
)

// mWith returns the clause that loads a relation anew.
func mWith(t *mTable, r *mRel) query.Relation {
	switch r {
	case mShelves.children:
		return query.With(&mShelfColumns.Boxes, query.Populate)
	case mBoxes.parent:
		return query.With(&mBoxColumns.Shelf, query.Populate)
	case mBoxes.links:
		return query.With(&mBoxColumns.Stickers, query.Populate)
	case mStickers.links:
		return query.With(&mStickerColumns.Boxes, query.Populate)
	case mTwigs.parent:
		return query.With(&mTwigColumns.Parent, query.Populate)
	case mTwigs.children:
		return query.With(&mTwigColumns.Children, query.Populate)
	case mBranches.parent:
		return query.With(&mBranchColumns.Parent, query.Populate)
	default:
		return query.With(&mBranchColumns.Children, query.Populate)
	}
}

// mPredicate is a condition on the rows of a table, for the database and for the model.
type mPredicate struct {
	text    string
	clauses []query.Clause
	holds   func(mRow) bool
}
