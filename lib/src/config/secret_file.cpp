// SPDX-License-Identifier: Apache-2.0
#include "config/secret_file.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <utility>

#include <unistd.h>

#include <usher/core/ascii.hpp>
#include <usher/core/printable.hpp>

#include "config/file.hpp"
#include "config/secret_text.hpp"

namespace usher {

namespace {

constexpr std::size_t secret_file_bytes_max = 1U << 16U;

std::string octal(mode_t mode)
{
    std::string text{"0000"};
    for (std::size_t i = 0; i < text.size(); ++i)
        text[3 - i] = static_cast<char>('0' + ((mode >> (3 * i)) & 7U));
    return text;
}

tl::expected<Secret, std::string> without_newline(std::string const& path, std::string content)
{
    if (const auto fault = secret_fault(content)) {
        wipe(content);
        return tl::unexpected{printable(path) + " " + *fault};
    }
    if (content.back() == '\n')
        content.pop_back();
    return Secret{std::move(content)};
}

} // namespace

namespace {

constexpr std::size_t secret_bytes_min = 32;

/// Whether a name that names no file may be the secret itself, which nobody is to read in a log.
bool looks_like_secret(std::string_view path)
{
    const std::string_view name = path.substr(path.rfind('/') + 1);
    return name.size() >= secret_bytes_min && std::all_of(name.begin(), name.end(), [](char c) {
               return is_letter(c) || is_digit(c) || c == '=' || c == '+';
           });
}

constexpr char must_not_stand_here[] =
    "must name a file, and what stands there looks like a secret: put the secret into a file of its own, readable by "
    "usher alone, and name that file";

} // namespace

tl::expected<Secret, std::string> secret_of_file(std::string const& path)
{
    if (looks_like_secret(path) && ::access(path.c_str(), F_OK) != 0)
        return tl::unexpected{std::string{must_not_stand_here}};
    auto file = read_file(path, secret_file_bytes_max);
    if (!file)
        return tl::unexpected{printable(path) + " " + file.error()};
    if ((file->mode & 0077U) != 0) {
        wipe(file->content);
        return tl::unexpected{
            printable(path) + " may be used by other accounts (mode " + octal(file->mode) + "); chmod 600 " +
            printable(path)};
    }
    return without_newline(path, std::move(file->content));
}

tl::expected<Secret, std::string> secret_of_credential(std::string const& name)
{
    if (name == "." || name == ".." || name.find('/') != std::string::npos)
        return tl::unexpected{std::string{"expected the name of a credential, without a folder"}};
    char const* const folder = std::getenv("CREDENTIALS_DIRECTORY"); // NOLINT(concurrency-mt-unsafe)
    if (looks_like_secret(name) &&
        (folder == nullptr || ::access((std::filesystem::path{folder} / name).c_str(), F_OK) != 0))
        return tl::unexpected{std::string{must_not_stand_here}};
    if (folder == nullptr || *folder == '\0')
        return tl::unexpected{
            "there are no credentials, since $CREDENTIALS_DIRECTORY is not set; systemd sets it for a unit with "
            "LoadCredential=" +
            printable(name) + ":PATH"};
    const std::string path = (std::filesystem::path{folder} / name).string();
    auto file = read_file(path, secret_file_bytes_max);
    if (!file)
        return tl::unexpected{printable(path) + " " + file.error()};
    return without_newline(path, std::move(file->content));
}

} // namespace usher
