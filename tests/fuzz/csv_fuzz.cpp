// SPDX-License-Identifier: Apache-2.0
// Hostile files: every row is good or a problem, and the end is reached.
#include <sstream>
#include <string>

#include "schedule_csv.hpp"

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size)
{
    using namespace usher::ctl;
    std::istringstream in{std::string{reinterpret_cast<char const*>(data), size}};
    MeetingReader reader{in, "fuzz.csv"};
    if (reader.read_header())
        while (reader.next() != MeetingReader::Step::end)
            ;
    return 0;
}
