// Package storetest holds an engine of the store against the contract that
// package store states: one sub-test for each sentence, and a property test
// that compares the engine with [Model], a store written only to be obviously
// right.
//
// Nothing here sleeps. What takes time is waited for by the condition that
// ends it (WaitLog, a channel, an item that is gone).
package storetest
