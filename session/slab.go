package session

import (
	"cmp"
	"unsafe"
)

// slab hands out values and slices of T from larger pieces, since a session needs many of some types and lets go of all
// of them at once. The first pieces are small: most sessions have few objects.
type slab[T any] struct {
	free []T
	size int
}

// maxPiece bounds a piece, so that one value that is kept keeps little else.
const maxPiece = 512

// one returns a zero T.
func (s *slab[T]) one() *T { return &s.take(1)[0] }

// take returns n zero Ts.
func (s *slab[T]) take(n int) []T {
	if len(s.free) < n {
		s.size = max(min(2*s.size, maxPiece), n)
		s.free = make([]T, s.size)
	}
	taken := s.free[:n:n]
	s.free = s.free[n:]
	return taken
}

// pieces is a slab that takes everything back at once, so that its memory can be used again.
type pieces[T any] struct {
	keep   int   // how many pieces are used again; 0 for maxPieces
	pieces [][]T // those
	next   int   // the one behind the one in use
	free   []T   // of the one in use
	loose  bool  // which is none of those
}

const (
	firstPiece = 4
	pieceBytes = 32 << 10 // of a large one
	maxPieces  = 10
)

// one returns a zero T, which is good until the next reset.
func (p *pieces[T]) one() *T { return &p.take(1)[0] }

// take returns n zero Ts, which are good until the next reset.
func (p *pieces[T]) take(n int) []T {
	for len(p.free) < n {
		p.free = p.piece(n)
	}
	taken := p.free[:n:n]
	p.free = p.free[n:]
	return taken
}

// piece returns the next piece, which is made for n at least where there is none. One that will not be used again lives as
// long as something in it is used.
func (p *pieces[T]) piece(n int) []T {
	if p.next < len(p.pieces) {
		p.next++
		return p.pieces[p.next-1]
	}
	size := firstPiece
	if p.next > 0 {
		size = min(2*len(p.pieces[p.next-1]), pieceBytes/int(unsafe.Sizeof(*new(T))))
	}
	piece := make([]T, max(size, n))
	if p.loose = p.next == cmp.Or(p.keep, maxPieces); !p.loose {
		p.pieces = append(p.pieces, piece)
		p.next++
	}
	return piece
}

// reset takes every value back.
func (p *pieces[T]) reset() {
	for i, piece := range p.pieces[:p.next] {
		if i == p.next-1 && !p.loose {
			piece = piece[:len(piece)-len(p.free)]
		}
		clear(piece)
	}
	p.next, p.free, p.loose = 0, nil, false
}
