// SPDX-License-Identifier: Apache-2.0
// Hostile files: every row is good or a problem that is told of, and the end is reached.
#include <cstdlib>
#include <sstream>
#include <string>

#include "schedule_csv.hpp"

namespace {

template <class Table>
void read_all(std::string const& text)
{
    using Reader = usher::ctl::ScheduleReader<Table>;
    std::istringstream in{text};
    Reader reader{in, "fuzz.csv"};
    if (!reader.read_header())
        return;
    for (;;)
        switch (reader.next()) {
        case usher::ctl::CsvStep::row:
            if (const auto problem = reader.check(reader.row(), reader.row().values); problem && problem->empty())
                std::abort();
            break;
        case usher::ctl::CsvStep::problem:
            if (reader.problem().empty())
                std::abort();
            break;
        case usher::ctl::CsvStep::end: return;
        }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(unsigned char const* data, std::size_t size)
{
    const std::string text{reinterpret_cast<char const*>(data), size};
    read_all<usher::ctl::Meetings>(text);
    read_all<usher::ctl::Participants>(text);
    return 0;
}
