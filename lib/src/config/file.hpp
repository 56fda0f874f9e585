// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>

#include <sys/types.h>

#include <tl/expected.hpp>

namespace usher {

inline constexpr std::size_t file_bytes_max = 1U << 20U;

struct FileContent {
    std::string content;
    mode_t mode = 0;
};

/// The whole of a regular file, or what keeps it from being read, to follow its name. Nothing of the content is left in
/// memory then.
tl::expected<FileContent, std::string> read_file(std::string const& path, std::size_t bytes_max = file_bytes_max);

} // namespace usher
