// SPDX-License-Identifier: Apache-2.0
#include <usher/provider/redaction.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <usher/core/ascii.hpp>
#include <usher/crypto/base64.hpp>
#include <usher/crypto/hmac.hpp>
#include <usher/crypto/secret.hpp>

namespace usher {

namespace {

constexpr std::size_t text_bytes_max = 4096;
constexpr std::size_t piece_max = 8;   // letters and digits that no other text has by chance
constexpr std::size_t piece_min = 4;   // of a short credential: rather a word too much than half of it
constexpr std::size_t key_length = 20; // a word of so many letters and digits is none that people write
constexpr int encodings_max = 3;       // percent-encoded, and again, and again
constexpr std::string_view mark = "[credential]";

/// A character as it is meant, and where in the text it stands.
struct Meant {
    char c;
    std::size_t begin;
    std::size_t end;
};

std::vector<Meant> percent_decoded(std::vector<Meant> const& text)
{
    std::vector<Meant> out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i].c == '%' && i + 2 < text.size()) {
            const auto high = hex_value(text[i + 1].c);
            const auto low = hex_value(text[i + 2].c);
            if (high && low) {
                out.push_back({static_cast<char>(*high << 4U | *low), text[i].begin, text[i + 2].end});
                i += 2;
                continue;
            }
        }
        out.push_back(text[i]);
    }
    return out;
}

/// What all the ways to write a text have in common.
std::string essence(std::string_view text)
{
    std::string out;
    out.reserve(text.size());
    for (const char c : text)
        if (is_letter(c) || is_digit(c))
            out += in_lower_case(c);
    return out;
}

/// Every piece of a text, as one number, in the order of the text.
std::vector<std::uint64_t> pieces_of(std::string_view letters, std::size_t length)
{
    static_assert(piece_max == sizeof(std::uint64_t));
    const std::uint64_t of_a_piece = length == piece_max ? ~std::uint64_t{0} : (std::uint64_t{1} << 8U * length) - 1;
    std::vector<std::uint64_t> pieces;
    std::uint64_t last = 0;
    for (std::size_t i = 0; i < letters.size(); ++i) {
        last = (last << 8U | static_cast<unsigned char>(letters[i])) & of_a_piece;
        if (i + 1 >= length)
            pieces.push_back(last);
    }
    return pieces;
}

/// How long a piece must be to come from the credential rather than from chance.
std::size_t piece_length(std::string_view credential)
{
    const auto letters = static_cast<std::size_t>(std::count_if(credential.begin(), credential.end(), [](char c) {
        return is_letter(c) || is_digit(c);
    }));
    return std::min(letters, std::clamp(letters / 2, piece_min, piece_max));
}

/// Those of `pieces` that come from the credential, in order.
std::vector<std::uint64_t>
pieces_from(std::string_view credential, std::vector<std::uint64_t> pieces, std::size_t length)
{
    if (pieces.empty())
        return {};
    std::sort(pieces.begin(), pieces.end());
    pieces.erase(std::unique(pieces.begin(), pieces.end()), pieces.end());
    std::vector<bool> is_found(pieces.size());
    const auto look_in = [&](std::string form) {
        for (const std::uint64_t one : pieces_of(form, length))
            if (const auto at = std::lower_bound(pieces.begin(), pieces.end(), one); at != pieces.end() && *at == one)
                is_found[static_cast<std::size_t>(at - pieces.begin())] = true;
        wipe(form);
    };
    std::string letters = essence(credential);
    std::string backwards{letters.rbegin(), letters.rend()};
    look_in(std::move(letters));
    look_in(std::move(backwards));
    look_in(to_hex(credential));
    for (const std::size_t before : {0U, 1U, 2U}) { // base64 differs by what stands in front
        std::string padded;
        padded.reserve(before + credential.size());
        padded.append(before, ' ').append(credential);
        std::string encoded = base64_encode(padded);
        look_in(essence(std::string_view{encoded}.substr(before)));
        wipe(padded);
        wipe(encoded);
    }
    std::vector<std::uint64_t> found;
    for (std::size_t i = 0; i < pieces.size(); ++i)
        if (is_found[i])
            found.push_back(pieces[i]);
    return found;
}

} // namespace

std::string without_credential(std::string_view text, std::string_view credential)
{
    text = text.substr(0, text_bytes_max);
    std::vector<Meant> meant;
    meant.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i)
        meant.push_back({text[i], i, i + 1});
    for (int i = 0; i < encodings_max && text.find('%') != std::string_view::npos; ++i)
        meant = percent_decoded(meant);

    std::vector<bool> cut(text.size());
    const auto cut_out = [&](std::size_t begin, std::size_t end) {
        std::fill(
            cut.begin() + static_cast<std::ptrdiff_t>(begin), cut.begin() + static_cast<std::ptrdiff_t>(end), true
        );
    };

    std::vector<Meant> essential;
    std::string letters;
    for (Meant const& at : meant)
        if (is_letter(at.c) || is_digit(at.c)) {
            essential.push_back(at);
            letters += in_lower_case(at.c);
        }
    if (const std::size_t length = piece_length(credential); length > 0) {
        const std::vector<std::uint64_t> pieces = pieces_of(letters, length);
        const std::vector<std::uint64_t> credentials = pieces_from(credential, pieces, length);
        for (std::size_t i = 0; i < pieces.size(); ++i)
            if (std::binary_search(credentials.begin(), credentials.end(), pieces[i]))
                cut_out(essential[i].begin, essential[i + length - 1].end);
    }

    for (std::size_t begin = 0; begin < meant.size();) {
        std::size_t end = begin;
        bool has_digit = false;
        bool has_letter = false;
        for (; end < meant.size(); ++end) {
            const char c = meant[end].c;
            if (!is_letter(c) && !is_digit(c) && c != '+' && c != '/' && c != '_' && c != '=')
                break;
            has_digit = has_digit || is_digit(c);
            has_letter = has_letter || is_letter(c);
        }
        if (end - begin >= key_length && has_digit && has_letter)
            cut_out(meant[begin].begin, meant[end - 1].end);
        begin = end + 1;
    }

    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i)
        if (!cut[i])
            out += text[i];
        else if (i == 0 || !cut[i - 1])
            out += mark;
    return out;
}

bool holds_credential(std::string_view id, std::string_view credential)
{
    const std::string letters = essence(id);
    const std::size_t length = piece_length(credential);
    if (length < piece_max) {
        const Secret all{essence(credential)};
        return !all.empty() && letters.find(all.reveal()) != std::string::npos;
    }
    return !pieces_from(credential, pieces_of(letters, length), length).empty();
}

} // namespace usher
