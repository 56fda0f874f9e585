// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace usher {

/// Prints the words that have a fixed meaning, one a line, as `KIND WORD …`: those that monitoring and platforms may
/// hold on to. The reference lists them, and a test compares the two.
void print_words();

} // namespace usher
