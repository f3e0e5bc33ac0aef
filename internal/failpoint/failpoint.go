// Package failpoint names the places at which a test kills the process, and
// does nothing in ordinary builds.
//
// Built with the tag failpoint, the variable SIGNALBOX_FAILPOINT holds the name
// of a point and how many passes it lets go, as in "journal.head:3"; at the next
// pass the process kills itself with SIGKILL, so that nothing is flushed, rolled
// back or told. It leaves to the tests what must hold afterwards. Its invariant:
// without the tag Hit is an empty function that the compiler removes, and no
// environment changes what the product does.
package failpoint

// Variable is the environment variable that a tagged build reads.
const Variable = "SIGNALBOX_FAILPOINT"

// Point is a place in the code, by the room it stands in and what has just been done.
type Point string

// The points, in the order in which a start, an append and what goes on beside
// them pass through.
const (
	MigrationRan      Point = "store.migration-ran"      // statements of a migration executed, its version not yet recorded
	MigrationRecorded Point = "store.migration-recorded" // its version recorded, not yet committed
	TxBegin           Point = "store.begin"              // before a writing transaction begins
	TxSent            Point = "store.sent"               // queued statements reached the server; PostgreSQL alone
	TxSavepoint       Point = "store.savepoint"          // work behind a savepoint done, which is not yet released
	TxCommit          Point = "store.commit"             // all is written, before the commit
	TxCommitted       Point = "store.committed"          // committed, and nobody has been told
	LeaseTaken        Point = "store.lease-taken"        // a lease is written, not yet committed
	LeaseReleased     Point = "store.lease-released"     // and deleted again
	KeyAside          Point = "seal.aside"               // a new key written aside, not yet under its name
	KeyLinked         Point = "seal.linked"              // under its name, its directory not yet synced
	JournalOrigin     Point = "journal.origin"           // the origin is written, not yet committed
	JournalBatch      Point = "journal.batch"            // commands taken off the queue, nothing begun
	JournalHead       Point = "journal.head"             // the head is taken
	JournalPlanned    Point = "journal.planned"          // the batch is planned, nothing written
	JournalFacts      Point = "journal.facts"            // facts inserted
	JournalHashes     Point = "journal.hashes"           // and the nodes of the tree
	JournalDisposing  Point = "journal.disposing"        // one fact of a disposal has lost its private part
	JournalDisposed   Point = "journal.disposed"         // all have
	JournalCommands   Point = "journal.commands"         // rows of commands inserted
	JournalParts      Point = "journal.parts"            // and the parts of their bases
	StateStreams      Point = "state.streams"            // streams written
	StateUnkeyed      Point = "state.unkeyed"            // old keys deleted, the new ones not yet inserted
	StateKeys         Point = "state.keys"               // keys written
	JournalMoved      Point = "journal.moved"            // the head moved
	ViewApplied       Point = "journal.view-applied"     // a view has folded the facts, its position is behind
	ViewMoved         Point = "journal.view-moved"       // and its position written
	JournalCommitted  Point = "journal.committed"        // the batch is durable, before its senders are answered
	NoteSigned        Point = "journal.note-signed"      // a checkpoint is signed, not yet written
	NoteWritten       Point = "journal.note-written"     // and written, not yet committed
	ViewMarked        Point = "journal.view-marked"      // a view that is to be rebuilt is marked, and still full
	ViewReset         Point = "journal.view-reset"       // and emptied
	ViewChunk         Point = "journal.view-chunk"       // a chunk is folded, its position not yet written
	StatesRefolded    Point = "journal.states-refolded"  // states are folded anew, their number not yet recorded
	VaultMarked       Point = "vault.marked"             // a new vault has its mark, the books do not know it
	VaultReserved     Point = "vault.reserved"           // an entry is in the books, its bytes nowhere
	VaultCopied       Point = "vault.copied"             // bytes written aside and synced, not renamed
	VaultRenamed      Point = "vault.renamed"            // renamed, the directory not yet synced
	VaultRow          Point = "vault.row"                // bytes in the database's table, not yet committed
	VaultPlaced       Point = "vault.placed"             // bytes durable, the books not yet settled
	VaultForsaken     Point = "vault.forsaken"           // the entry of a failed put is taken back, not yet committed
	VaultClaimed      Point = "vault.claimed"            // an orphan is claimed, its bytes still there
	VaultRemoved      Point = "vault.removed"            // its bytes removed, its entry still in the books
	VaultBrought      Point = "vault.brought"            // a move has brought everything over, and switched nothing
	VaultSwitched     Point = "vault.switched"           // and switched, not yet committed
)
