// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace usher {

/// A text that must not show up in logs or memory dumps: it cannot be copied or printed, and it is wiped when it is
/// destroyed or moved from.
class Secret {
public:
    explicit Secret(std::string text);
    Secret(Secret&& other) noexcept;
    Secret& operator=(Secret&& other) noexcept;
    Secret(Secret const&) = delete;
    Secret& operator=(Secret const&) = delete;
    ~Secret();

    std::string_view reveal() const { return text_; }
    bool empty() const { return text_.empty(); }

private:
    std::string text_;
};

/// A secret that is seldom needed. In memory are two texts, each of which is random alone, so that a dump does not show
/// it. Errors: runtime_error, when there are no random bytes.
class VeiledSecret {
public:
    explicit VeiledSecret(std::string_view text);

    Secret unveil() const;

private:
    std::string veil_;
    std::string veiled_;
};

/// Overwrites all that `text` holds, then empties it.
void wipe(std::string& text) noexcept;

/// Takes as long for equal texts as for different ones of the same length.
bool constant_time_equal(std::string_view left, std::string_view right);

} // namespace usher
