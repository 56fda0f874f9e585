// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>
#include <iostream>
#include <limits>

#include <malloc.h>
#include <unistd.h>

#include <usher/store/process.hpp>

#include "commands.hpp"
#include "page.hpp"

int main(int argc, char** argv)
{
    usher::prepare_process();
    // SQLite copies a hostile row's value of 50 MB a dozen times; half of that time went into asking for memory anew.
    ::mallopt(M_MMAP_MAX, 0);
    ::mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
    std::ios::sync_with_stdio(false);
    usher::ctl::Screen screen;
    screen.width = usher::ctl::terminal_width(STDOUT_FILENO);
    screen.colour = screen.width > 0 && std::getenv("NO_COLOR") == nullptr && usher::ctl::terminal_is_able();
    const int status = usher::ctl::run(argc, argv, std::cin, std::cout, std::cerr, screen);
    std::cout.flush();
    if (std::cout)
        return status;
    std::cerr << "usherctl: standard output cannot be written\n";
    return status == usher::exit_done ? usher::exit_could_not : status;
}
