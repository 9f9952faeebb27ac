// Package logdb keeps change logs in one Pebble database: the logs of many
// accounts, each key beginning with the account.
package logdb
