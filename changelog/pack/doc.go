// Package pack writes and reads msgpack in the one canonical form that the log
// and the wire use: arrays, integers, booleans, strings and byte strings, each in
// its shortest encoding; no maps, floats, nils or extensions.
//
// # Contract
//
//   - Pure. Appending never fails and allocates only to grow the destination.
//   - Every value has exactly one encoding, the one that msgpack v5 writes with
//     EncodeUint, EncodeInt, EncodeBool, EncodeString, EncodeBytes and
//     EncodeArrayLen; tests hold it to that.
//   - Reader is for bytes from outside. A length is compared with the bytes that
//     are left before anything is allocated; a longer form than needed, a value
//     out of range and bytes left over are errors. After the first error every
//     read gives zero, so that callers check once, with End.
//
// It is written by hand because the library's decoder allocates gigabytes on
// hostile lengths, accepts long forms and trailing bytes, and costs allocations.
package pack
