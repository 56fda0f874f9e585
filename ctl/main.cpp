// SPDX-License-Identifier: Apache-2.0
#include <iostream>

#include <usher/store/process.hpp>

#include "commands.hpp"

int main(int argc, char** argv)
{
    usher::prepare_process();
    std::ios::sync_with_stdio(false);
    const int status = usher::ctl::run(argc, argv, std::cin, std::cout, std::cerr);
    std::cout.flush();
    if (!std::cout && status == usher::ctl::exit_done) {
        std::cerr << "usherctl: standard output cannot be written\n";
        return usher::ctl::exit_could_not;
    }
    return status;
}
