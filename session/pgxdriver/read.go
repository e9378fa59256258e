package pgxdriver

import (
	"encoding/binary"
	"slices"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/urutu-go/urutu/value"
)

// reader decodes a cell of one column, which is not NULL, into what it is given.
type reader func(b []byte, to *value.Value) error

// readers returns what decodes the columns of a statement's rows. A column that was not declared, such as a guard's, is
// read as what it is. They are kept, since nearly always the next row is read like the last one.
func (e *entry) readers(types []value.Type, prepared bool) []reader {
	if e.read != nil && e.readPrepared == prepared && slices.Equal(e.readTypes, types) {
		return e.read
	}
	e.read, e.readPrepared, e.readTypes = make([]reader, len(e.columns)), prepared, slices.Clone(types)
	for i, c := range e.columns {
		t, format := value.TypeUnknown, int16(textFormat)
		if i < len(types) {
			t = types[i]
		}
		if prepared {
			format = e.results[i]
		}
		e.read[i] = readerOf(c.oid, format, t)
	}
	return e.read
}

// readerOf returns the reader of a column. Most columns are what they were declared to be, and leave no choice by the
// cell.
func readerOf(oid uint32, format int16, t value.Type) reader {
	is := func(o uint32, f int16, k value.Kind) bool {
		return oid == o && format == f && (t == value.TypeUnknown || kinds[t] == k)
	}
	switch {
	case is(pgtype.Int8OID, binaryFormat, value.Int):
		return readInt8
	case is(pgtype.TimestamptzOID, binaryFormat, value.Time):
		return readTimestamptz
	case is(pgtype.UUIDOID, binaryFormat, value.UUID):
		return readUUID
	case is(pgtype.TextOID, textFormat, value.Text), is(pgtype.VarcharOID, textFormat, value.Text):
		return readText
	}
	return func(b []byte, to *value.Value) (err error) {
		*to, err = decode(oid, format, t, b)
		return err
	}
}

func readInt8(b []byte, to *value.Value) error {
	if len(b) != 8 {
		return errLength
	}
	*to = value.OfInt(int64(binary.BigEndian.Uint64(b)))
	return nil
}

func readTimestamptz(b []byte, to *value.Value) (err error) {
	if len(b) != 8 {
		return errLength
	}
	*to, err = micros(int64(binary.BigEndian.Uint64(b)))
	return err
}

func readUUID(b []byte, to *value.Value) error {
	if len(b) != 16 {
		return errLength
	}
	*to = value.OfUUID([16]byte(b))
	return nil
}

func readText(b []byte, to *value.Value) error {
	*to = value.OfText(string(b))
	return nil
}
