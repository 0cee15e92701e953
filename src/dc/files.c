/*
 * dc/files.c - what clients ask of a data centre that they are sent to for one call: pieces of a
 * file, a graph. Both say which data centre made them. Owns nothing; keeps no files: every document
 * id is a file of GAP_DC_FILE_LINES lines, made when it is asked for.
 * (core.telegram.org/api/files: what offsets and limits are allowed)
 */
#include "dc/rpc.h"

#include "base/bytes.h"

#include <gapless/tl_api.h>
#include <stdio.h>

#define LINE_BYTES    64
#define FILE_BYTES    (GAP_DC_FILE_LINES * LINE_BYTES)
#define PRECISE_UNIT  1024
#define ORDINARY_UNIT 4096
#define PIECE_MAX     (1 << 20) /* and no piece lies on both sides of a multiple of it */

static int refuse(gap_dc_error_t *error, const char *text)
{
    error->code = 400;
    error->text = text;
    return GAP_DC_IS_ERROR;
}

/* Line @p n of a document: all have the same length. */
static void make_line(const gap_dc_t *dc, int64_t document, uint32_t n, char out[LINE_BYTES])
{
    char text[LINE_BYTES + 1];
    int len = snprintf(text, sizeof text, "data centre %d, document %lld, line %u",
                       (int)dc->options.dc, (long long)document, (unsigned)n);

    memset(out, ' ', LINE_BYTES);
    memcpy(out, text, (size_t)len);
    out[LINE_BYTES - 1] = '\n';
}

static int check_piece(const gap_tl_upload_get_file_t *q, gap_dc_error_t *error)
{
    bool is_precise = (q->flags & GAP_TL_UPLOAD_GET_FILE_F_PRECISE) != 0;
    int32_t unit = is_precise ? PRECISE_UNIT : ORDINARY_UNIT;

    if (q->offset < 0 || q->offset % unit != 0) return refuse(error, "OFFSET_INVALID");
    if (q->limit <= 0 || q->limit > PIECE_MAX || q->limit % unit != 0)
        return refuse(error, "LIMIT_INVALID");
    if (!is_precise && PIECE_MAX % q->limit != 0) return refuse(error, "LIMIT_INVALID");
    if (q->offset / PIECE_MAX != (q->offset + (q->limit - 1)) / PIECE_MAX)
        return refuse(error, "LIMIT_INVALID");
    return 0;
}

static int get_file(const gap_dc_t *dc, const gap_dc_query_t *query, gap_buf_t *out,
                    gap_dc_error_t *error)
{
    gap_tl_upload_get_file_t q;
    gap_tl_input_document_file_location_t where;
    gap_tl_storage_file_unknown_t type = {0};
    gap_buf_t bytes;

    if (gap_tl_read(query->method, query->id, &q, sizeof q) < 0)
        return refuse(error, "INPUT_FETCH_ERROR");
    if (q.location.id != GAP_TL_INPUT_DOCUMENT_FILE_LOCATION ||
        GAP_TL_READ(q.location, GAP_TL_INPUT_DOCUMENT_FILE_LOCATION, &where) < 0)
        return refuse(error, "LOCATION_INVALID");
    int r = check_piece(&q, error);
    if (r != 0) return r;
    int64_t end = q.offset + q.limit < FILE_BYTES ? q.offset + q.limit : FILE_BYTES;
    gap_buf_init(&bytes, dc->alloc);
    /* Pieces begin and end with lines: their units are multiples of a line. */
    for (int64_t at = q.offset; at < end && r == 0; at += LINE_BYTES) {
        char line[LINE_BYTES];
        make_line(dc, where.id, (uint32_t)(at / LINE_BYTES), line);
        r = gap_buf_append(&bytes, line, sizeof line);
    }
    gap_tl_upload_file_t file = {GAP_TL_OF(GAP_TL_STORAGE_FILE_UNKNOWN, &type), 1,
                                 gap_buf_view(&bytes)};
    if (r == 0) r = gap_dc_put_object(out, GAP_TL_OF(GAP_TL_UPLOAD_FILE, &file));
    gap_buf_fini(&bytes);
    return r;
}

static int load_graph(const gap_dc_t *dc, gap_buf_t *out)
{
    char text[96];

    (void)snprintf(text, sizeof text,
                   "{\"columns\":[],\"types\":{},\"names\":{},\"title\":\"data centre %d\"}",
                   (int)dc->options.dc);
    gap_tl_data_json_t json = {gap_str(text)};
    gap_tl_stats_graph_t graph = {.json = GAP_TL_OF(GAP_TL_DATA_JSON, &json)};
    return gap_dc_put_object(out, GAP_TL_OF(GAP_TL_STATS_GRAPH, &graph));
}

int gap_dc_files(const gap_dc_t *dc, const gap_dc_query_t *q, gap_buf_t *out, gap_dc_error_t *error)
{
    switch (q->id) {
    case GAP_TL_UPLOAD_GET_FILE:
        return get_file(dc, q, out, error);
    case GAP_TL_STATS_LOAD_ASYNC_GRAPH:
        return load_graph(dc, out);
    default:
        return DC_NOT_MINE;
    }
}
