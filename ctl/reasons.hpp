// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include <usher/config/config.hpp>

namespace usher::ctl {

/// What a reason is about. Texts are as rows hold them.
struct Reason {
    std::string_view code;
    std::string_view detail;
    std::string_view project;
    std::string_view meeting; ///< One that has it.
};

/// What is the matter, as a part of a sentence: `the vendor refuses partner's secret`. Empty where only the detail
/// says.
std::string headline(Reason const& reason);

/// Whether the headline says all that there is to say.
bool says_all(std::string_view code);

/// What an operator types or does. `config` may be null.
std::string way_out(Reason const& reason, Config const* config);

} // namespace usher::ctl
