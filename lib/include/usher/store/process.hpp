// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace usher {

/// What a program does before it opens a file that it writes to. Descriptors 0 to 2 are open afterwards, so that no
/// log line lands in a data file; a write beyond the limit on file sizes fails, and kills nobody.
void prepare_process();

/// Opens `path` as an empty file of this process and its account alone, for what gets its real name once it is whole;
/// whatever a run that was killed, or somebody else, has left there is gone. -1 with errno, EWOULDBLOCK while another
/// process writes it: until that one's descriptor is closed.
int create_partial(std::string const& path);

/// What `error`, an errno, says; for a limit that is reached, also which one and how to raise it.
std::string describe_errno(int error);

/// The latter alone, with a semicolon before it; or nothing.
std::string way_out_of(int error);

} // namespace usher
