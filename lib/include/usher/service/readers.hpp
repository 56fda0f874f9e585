// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include <usher/store/store.hpp>

namespace usher {

/// The store's readers that nobody uses. Opening another one takes longer than most of what is read, so a reader is put
/// back once its work is over.
class Readers {
public:
    explicit Readers(Store const& store) : store_{store} {}

    std::shared_ptr<StoreReader> take()
    {
        if (unused_.empty())
            return store_.reader();
        std::shared_ptr<StoreReader> reader = std::move(unused_.back());
        unused_.pop_back();
        return reader;
    }
    void put_back(std::shared_ptr<StoreReader> reader) { unused_.push_back(std::move(reader)); }

private:
    Store const& store_;
    std::vector<std::shared_ptr<StoreReader>> unused_;
};

} // namespace usher
