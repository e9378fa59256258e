package model

import (
	"fmt"
	"unsafe"

	"github.com/urutu-go/urutu/value"
)

// bytesCodec stores a slice of bytes: nil is NULL, or empty where the column takes no NULL.
func bytesCodec(w wish) codec {
	ofNil := value.Value{}
	if w.notNull {
		ofNil = value.OfBytes([]byte{})
	}
	encode := func(p unsafe.Pointer) (value.Value, error) {
		b := *(*[]byte)(p)
		if b == nil {
			return ofNil, nil
		}
		return value.OfBytes(b), nil
	}
	return codec{
		typ:      value.TypeBytes,
		nullable: !w.notNull,
		encode:   encode,
		decode: func(p unsafe.Pointer, v value.Value) error {
			if v.IsNull() {
				*(*[]byte)(p) = nil
				return nil
			}
			s, err := asBytes(v)
			if err == nil {
				*(*[]byte)(p) = append(make([]byte, 0, len(s)), s...)
			}
			return err
		},
		same: func(p unsafe.Pointer, snapshot value.Value) (bool, value.Value, error) {
			b := *(*[]byte)(p)
			if b != nil && snapshot.Kind() == value.Bytes && snapshot.Str() == string(b) {
				return true, snapshot, nil // without a copy of the bytes
			}
			current, err := encode(p)
			return current == snapshot, current, err
		},
	}
}

// byteArrayCodec stores an array of n bytes.
func byteArrayCodec(n int) codec {
	at := func(p unsafe.Pointer) []byte { return unsafe.Slice((*byte)(p), n) }
	return codec{
		typ:    value.TypeBytes,
		encode: func(p unsafe.Pointer) (value.Value, error) { return value.OfBytes(at(p)), nil },
		decode: func(p unsafe.Pointer, v value.Value) error {
			s, err := asBytes(v)
			if err != nil {
				return err
			}
			if len(s) != n {
				return fmt.Errorf("the column holds %d bytes, not %d", len(s), n)
			}
			copy(at(p), s)
			return nil
		},
	}
}
