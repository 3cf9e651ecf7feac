/** The Emscripten factory inside `libpg-query`: every call makes a fresh instance of the parser. */
declare module 'libpg-query/wasm/libpg-query.js' {
  export interface ParserModule {
    readonly HEAPU8: Uint8Array
    _malloc(bytes: number): number
    _free(pointer: number): void
    /** Returns a `PgQueryParseResult*`: { char* tree; char* stderr; PgQueryError* error }. */
    _wasm_parse_query_raw(text: number): number
    _wasm_free_parse_result(result: number): void
    _wasm_parse_plpgsql(text: number): number
    _wasm_free_string(text: number): void
    lengthBytesUTF8(text: string): number
    stringToUTF8(text: string, pointer: number, bytes: number): void
    UTF8ToString(pointer: number): string
    getValue(pointer: number, type: 'i32'): number
  }
  const createParser: (options?: {
    print?: (line: string) => void
    printErr?: (line: string) => void
  }) => Promise<ParserModule>
  // biome-ignore lint/style/noDefaultExport: describes the module as it is
  export default createParser
}
