package union

// NoteDiffering is noteDiffering for tests.
var NoteDiffering = (*Union).noteDiffering
