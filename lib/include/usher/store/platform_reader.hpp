// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include <usher/core/row_check.hpp>
#include <usher/store/platform_writer.hpp>

namespace usher {

/// Reads what platforms wrote, all of it as it is at one instant: that of the first question. Others write meanwhile,
/// but what they write is kept beside the database until the reader is gone. Errors: DatabaseError, DatabaseBusy.
class PlatformReader {
public:
    explicit PlatformReader(std::string const& database);
    PlatformReader(PlatformReader const&) = delete;
    PlatformReader& operator=(PlatformReader const&) = delete;
    ~PlatformReader();

    std::int64_t count_rows(std::string const& table) const;

    /// Every row, in the order of the table's key, with the values of its columns whatever they are. They are valid
    /// until `visit` returns.
    void each_row(PlatformTable const& table, std::function<void(std::span<RowValue const>)> const& visit) const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace usher
