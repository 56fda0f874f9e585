// SPDX-License-Identifier: Apache-2.0
#include "page.hpp"

#include <usher/core/printable.hpp>

namespace usher {

extern char const* const page_source; // made from page.html by the build

namespace {

std::string escaped(std::string_view text)
{
    std::string html;
    for (const char c : text) {
        switch (c) {
        case '&': html += "&amp;"; break;
        case '<': html += "&lt;"; break;
        case '>': html += "&gt;"; break;
        case '"': html += "&quot;"; break;
        default: html += c;
        }
    }
    return html;
}

void replace(std::string& page, std::string_view placeholder, std::string_view text)
{
    for (std::size_t at = 0; (at = page.find(placeholder, at)) != std::string::npos; at += text.size())
        page.replace(at, placeholder.size(), text);
}

} // namespace

std::string page_html(std::string_view nonce, std::string_view sentence)
{
    std::string page{page_source};
    replace(page, "{{nonce}}", nonce);
    replace(page, "{{sentence}}", escaped(printable(sentence)));
    return page;
}

} // namespace usher
