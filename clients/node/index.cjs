'use strict';

/**
 * Live channels in flat, typed form.
 *
 * `LiveClient` is ali-oss's client with its live-channel functions overridden: options and results are flat lower
 * camel case, numbers are numbers and times are `Date`s. Every other method is ali-oss's own. What goes over the wire
 * is the documented PascalCase document, so the class works with any service that speaks the protocol; the two things
 * that the protocol does not carry (a display name and the channel's times) come from response headers and fall back
 * when the service does not send them.
 */

const OSS = require('ali-oss');

const HEADER_NAME = 'x-livebucket-channel-name';
const HEADER_CREATE_TIME = 'x-livebucket-create-time';
const HEADER_LAST_MODIFIED = 'x-livebucket-last-modified';

/** Options that belong to this class; the rest of an options object is ali-oss's. */
const OWN_OPTIONS = ['ifNotExists', 'mustBeLive'];

/** The configuration's keys in both spellings; a document with one of the latter is passed through as it is. */
const NESTED_KEYS = ['Description', 'Status', 'Target', 'Snapshot'];
const FLAT_KEYS = ['name', 'description', 'status', 'type', 'fragDuration', 'fragCount', 'playlistName'];

class LiveClient extends OSS {
  async putChannel(id, conf, options) {
    const request = requestOptions(options);
    if (options && options.ifNotExists) {
      request.headers = { ...request.headers, 'x-oss-forbid-overwrite': 'true' };
    }
    const result = await super.putChannel(id, configuration(conf), request);
    return { publishUrls: result.publishUrls, playUrls: result.playUrls, res: result.res };
  }

  async getChannel(id, options) {
    const { data, res } = await super.getChannel(id, requestOptions(options));
    const target = data.Target || {};
    const headers = res.headers || {};
    return {
      name: decodedHeader(headers[HEADER_NAME]) || id,
      description: text(data.Description),
      status: data.Status,
      type: target.Type,
      fragDuration: number(target.FragDuration),
      fragCount: number(target.FragCount),
      playlistName: target.PlaylistName,
      createTime: date(headers[HEADER_CREATE_TIME]),
      lastModified: date(headers[HEADER_LAST_MODIFIED]),
      data,
      res
    };
  }

  async deleteChannel(id, options) {
    return super.deleteChannel(id, requestOptions(options));
  }

  async putChannelStatus(id, status, options) {
    return super.putChannelStatus(id, status, requestOptions(options));
  }

  async listChannels(query, options) {
    const result = await super.listChannels(query, requestOptions(options));
    return {
      channels: result.channels.map(channel => ({
        name: channel.Name,
        description: text(channel.Description),
        status: channel.Status,
        lastModified: date(channel.LastModified),
        publishUrls: channel.PublishUrls,
        playUrls: channel.PlayUrls
      })),
      isTruncated: result.isTruncated,
      nextMarker: result.nextMarker || undefined,
      res: result.res
    };
  }

  async getChannelStatus(id, options) {
    const { data, res } = await super.getChannelStatus(id, requestOptions(options));
    if (options && options.mustBeLive && data.Status !== 'Live') {
      throw notLive(id, data.Status, res);
    }
    return {
      status: data.Status,
      connectedTime: date(data.ConnectedTime),
      remoteAddr: text(data.RemoteAddr),
      video: data.Video && {
        width: number(data.Video.Width),
        height: number(data.Video.Height),
        frameRate: number(data.Video.FrameRate),
        bandwidth: number(data.Video.Bandwidth),
        codec: data.Video.Codec
      },
      audio: data.Audio && {
        bandwidth: number(data.Audio.Bandwidth),
        sampleRate: number(data.Audio.SampleRate),
        codec: data.Audio.Codec
      },
      data,
      res
    };
  }

  async getChannelHistory(id, options) {
    const result = await super.getChannelHistory(id, requestOptions(options));
    return {
      records: result.records.map(record => ({
        startTime: date(record.StartTime),
        endTime: date(record.EndTime),
        remoteAddr: record.RemoteAddr
      })),
      res: result.res
    };
  }

  async createVod(id, name, time, options) {
    const playlist = /\.[^./]+$/.test(name) ? name : `${name}.m3u8`;
    return super.createVod(id, playlist, { ...time }, requestOptions(options));
  }

  // ali-oss writes its default into the object that it is given, so it gets a copy.
  getRtmpUrl(id, options) {
    return super.getRtmpUrl(id, { ...options, params: { ...(options && options.params) } });
  }
}

/** A copy without this class's own options: ali-oss writes into the object that it is given. */
function requestOptions(options) {
  const copy = { ...options };
  for (const key of OWN_OPTIONS) delete copy[key];
  return copy;
}

/** The flat form as the document that the service knows, with `name` beside it; the nested form as it is. */
function configuration(conf) {
  if (conf === null || typeof conf !== 'object') {
    throw new TypeError('a channel configuration must be an object');
  }
  if (NESTED_KEYS.some(key => conf[key] !== undefined)) return conf;

  const unknown = Object.keys(conf).filter(key => !FLAT_KEYS.includes(key));
  if (unknown.length > 0) {
    throw new TypeError(`unknown key in a channel configuration: ${unknown.join(', ')}`);
  }
  if (typeof conf.name !== 'string' || conf.name === '') {
    throw new TypeError('a channel configuration must have a name');
  }
  return present({
    name: escaped(conf.name),
    Description: escaped(conf.description),
    Status: escaped(conf.status),
    Target: present({
      Type: escaped(conf.type === undefined ? 'HLS' : conf.type),
      FragDuration: escaped(conf.fragDuration),
      FragCount: escaped(conf.fragCount),
      PlaylistName: escaped(conf.playlistName)
    })
  });
}

/**
 * A value as XML text. ali-oss escapes too, but leaves alone whatever looks like an entity already (`a &lt; b` typed by
 * a person would come back as `a < b`); text that is already escaped passes it unchanged.
 */
function escaped(value) {
  if (value === undefined || value === null) return undefined;
  return String(value).replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}

function present(object) {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}

/** An element's text; an empty or missing element has none. */
function text(value) {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function number(value) {
  return value === undefined || value === '' ? undefined : Number(value);
}

function date(value) {
  const parsed = value ? new Date(value) : undefined;
  return parsed && !Number.isNaN(parsed.getTime()) ? parsed : undefined;
}

function decodedHeader(value) {
  if (!value) return undefined;
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

/** The error that `mustBeLive` asks for, in the shape of ali-oss's errors. */
function notLive(id, status, res) {
  const error = new Error(`The live channel ${id} is not live: ${status}.`);
  error.name = 'ChannelNotLiveError';
  error.code = 'ChannelNotLive';
  error.status = res.status;
  error.requestId = res.headers && res.headers['x-oss-request-id'];
  return error;
}

module.exports = LiveClient;
module.exports.LiveClient = LiveClient;
module.exports.default = LiveClient;
