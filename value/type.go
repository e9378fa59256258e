package value

// Type is what a column is declared as, and so how a parameter for it is encoded.
type Type uint8

// The types. docs/storage.md has the column type of each on each database.
const (
	// TypeUnknown leaves it to the database: parameters travel as text, and results as the driver finds them.
	TypeUnknown Type = iota
	TypeBool
	TypeInt16
	TypeInt32
	TypeInt64
	TypeUint64 // exact over its whole range
	TypeFloat32
	TypeFloat64
	TypeText
	TypeBytes
	TypeTime // an instant, in microseconds
	TypeUUID
	TypeJSON
	TypeDecimal // exact, any precision
	typeCount
)

var typeNames = [typeCount]string{
	"unknown", "bool", "int16", "int32", "int64", "uint64", "float32", "float64", "text", "bytes", "time", "uuid",
	"json", "decimal",
}

// String returns the type's name: "int64".
func (t Type) String() string {
	if t < typeCount {
		return typeNames[t]
	}
	return "unknown"
}
