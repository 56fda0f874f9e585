// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>

namespace usher::ctl {

/// Why a file cannot be written, with its path.
struct FileNotWritten : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// A file that has its name once it is whole, and is readable by this account alone. What had the name before stays
/// until then. What is there and no regular file, such as a pipe, is written to as it is. Errors: FileNotWritten.
class NewFile {
public:
    explicit NewFile(std::string const& path);
    NewFile(NewFile const&) = delete;
    NewFile& operator=(NewFile const&) = delete;
    ~NewFile();

    void write(std::string_view bytes);
    void commit();

private:
    [[noreturn]] void fail() const;
    void flush();

    std::string named_;
    std::string path_;
    std::string partial_; ///< Empty: it is written in place.
    std::string buffer_;
    int descriptor_ = -1;
};

} // namespace usher::ctl
